const FIRST_WAIT_MS = 500;
const MAX_WAIT_MS = 10_000;

/** Return the wait before the next attempt, with jitter: 0.25 s to 10 s. */
export const backoff = (failures: number): number =>
  Math.min(MAX_WAIT_MS, FIRST_WAIT_MS * 2 ** failures) * (0.5 + Math.random() / 2);

/** Call `listener` on these events until the promise settles. */
async function listening<T>(
  target: EventTarget | undefined,
  type: string,
  listener: () => void,
  promise: PromiseLike<T>,
): Promise<T> {
  target?.addEventListener(type, listener);
  try {
    return await promise;
  } finally {
    target?.removeEventListener(type, listener);
  }
}

/** Settle as the promise does, but reject at once with the signal's reason when it is aborted. */
export const within = <T>(signal: AbortSignal, promise: PromiseLike<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    listening(signal, "abort", abort, promise).then(resolve, reject);
  });

/** `wake` ends the wait that was started last. */
export function createWaiter(): { wake(): void; wait(signal: AbortSignal): Promise<void> } {
  let resume: (() => void) | undefined;
  return {
    wake: () => resume?.(),
    wait: (signal) => within(signal, new Promise<void>((resolve) => (resume = resolve))),
  };
}

/** Wait so long, or until the browser is online again. Rejects with the signal's reason when it is aborted. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  const { wake, wait } = createWaiter();
  const timer = setTimeout(wake, ms);
  const page = globalThis.window as EventTarget | undefined;
  await listening(page, "online", wake, wait(signal)).finally(() => clearTimeout(timer));
}

/** Wait until the page is visible. Returns at once without one. */
export async function visible(page: Document | undefined, signal: AbortSignal): Promise<void> {
  const { wake, wait } = createWaiter();
  for (;;) {
    if (!page?.hidden) return;
    await listening(page, "visibilitychange", wake, wait(signal));
  }
}

type Abort = (reason: unknown) => void;

/** What each signal aborts. It has one listener for all, since Node warns of more than ten. */
const dependents = new WeakMap<AbortSignal, Set<Abort>>();

function dependentsOf(parent: AbortSignal): Set<Abort> {
  const known = dependents.get(parent);
  if (known) return known;
  const added = new Set<Abort>();
  dependents.set(parent, added);
  parent.addEventListener("abort", () => added.forEach((abort) => abort(parent.reason)));
  return added;
}

/** A signal that is aborted with its parent, by `abort`, or when `restart` was not called for its time. */
export interface Limit {
  readonly signal: AbortSignal;
  abort(reason?: unknown): void;
  /** Abort after this time, instead of the one set before. */
  restart(ms: number, reason: unknown): void;
  /** Stop listening and waiting. Call it in any case. */
  end(): void;
}

export function limit(parent?: AbortSignal): Limit {
  const controller = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const abort = (reason?: unknown) => controller.abort(reason);
  const others = parent && dependentsOf(parent);
  others?.add(abort);
  if (parent?.aborted) abort(parent.reason);
  return {
    signal: controller.signal,
    abort,
    restart(ms, reason) {
      clearTimeout(timer);
      timer = setTimeout(abort, ms, reason);
    },
    end() {
      clearTimeout(timer);
      others?.delete(abort);
    },
  };
}
