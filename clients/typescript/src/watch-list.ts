import { CHANGES, PROBE } from "./documents.js";
import { ServerUnreachable } from "./errors.js";
import type { Follow } from "./link.js";
import type { Render, RenderStatus } from "./types.js";
import { createWaiter, limit } from "./waiting.js";

/** The list may miss a change before the start of the subscription, which is not acknowledged: read it again then. */
const STARTED_MS = 2_000;
const THROTTLE_MS = 500;
const RETRY_MS = 5_000;

interface Change {
  readonly render: Render | null;
  readonly deletedRenderId: string | null;
}

/**
 * The renders that `read` returns, and again after each change. A change of a render in the list is applied to it; the
 * list is read again when the status of a render changes, after deletions, and after a lost connection.
 * @yields {readonly Render[]} the list
 */
export async function* watchList(
  follow: Follow,
  read: (signal: AbortSignal) => Promise<readonly Render[]>,
  outer: AbortSignal,
): AsyncGenerator<readonly Render[]> {
  const stop = limit(outer);
  const { signal } = stop;
  const { wake, wait } = createWaiter();
  const statuses = new Map<string, RenderStatus>();
  let list: readonly Render[] = [];
  let shown = list;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let dueAt = Infinity;

  async function update(): Promise<void> {
    try {
      const renders = await read(signal);
      const known = new Map(list.map((render) => [render.id, render]));
      list = renders.map((render) => newest(render, known.get(render.id)));
      wake();
    } catch (error) {
      if (!(error instanceof ServerUnreachable)) throw error;
      readAgain(RETRY_MS);
    }
  }

  let reading = update();
  /** Read the list after this time, or earlier if that is due already. */
  function readAgain(ms: number): void {
    const at = performance.now() + ms;
    if (at > dueAt) return;
    dueAt = at;
    clearTimeout(timer);
    timer = setTimeout(() => {
      dueAt = Infinity;
      reading = reading.then(update);
      reading.catch(stop.abort);
    }, ms);
  }

  async function followChanges(): Promise<void> {
    const operation = {
      payload: { query: CHANGES },
      poll: { query: PROBE },
      onStart: () => readAgain(STARTED_MS),
    };
    for await (const value of follow(operation, signal)) {
      const { render } = value as Change;
      if (render && list.some(({ id }) => id === render.id)) {
        list = list.map((other) => (other.id === render.id ? newest(render, other) : other));
        wake();
      }
      if (!render || statuses.get(render.id) !== render.status) readAgain(THROTTLE_MS); // deleted, polled, or changed
      if (render) statuses.set(render.id, render.status);
    }
  }

  reading.catch(stop.abort);
  followChanges().catch(stop.abort);
  try {
    for (;;) {
      if (list === shown) await wait(signal);
      shown = list;
      yield list;
    }
  } finally {
    clearTimeout(timer);
    stop.abort();
    stop.end();
  }
}

const newest = (one: Render, other: Render = one) => (other.revision > one.revision ? other : one);
