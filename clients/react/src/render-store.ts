import {
  type Client,
  createIdempotencyKey,
  type Render,
  RenderAlreadyFinished,
  type RenderQuotaExceeded,
  type ServerUnreachable,
  type StartInput,
} from "@rendercast/client";
import { type Memory, openMemory, type PendingStart, type StorageArea } from "./memory.js";
import { getOrAdd, Store, toError } from "./store.js";

const REPEAT_MS = 600_000; // later, a reopened tab starts nothing by itself, and the same input is a new render

export interface StartState {
  readonly id: string | null;
  readonly render: Render | null;
  readonly error: Error | null;
  readonly isStarting: boolean;
  readonly retryAt: number | null;
}

export const NO_RENDER: StartState = { id: null, render: null, error: null, isStarting: false, retryAt: null };

/** The render that a component has started. Its actions report errors in the state and never reject. */
export class RenderStore extends Store<StartState> {
  readonly #client: Client;
  readonly #memory: Memory;
  #pending: PendingStart | null;
  #request: Promise<Render | null> | undefined;

  constructor(client: Client, memory: Memory) {
    const { id, pending } = memory.read();
    super({ ...NO_RENDER, id, isStarting: pending?.hasFailed === false && Date.now() < pending.repeatUntil });
    this.#client = client;
    this.#memory = memory;
    this.#pending = pending;
  }

  /** The first subscription also repeats a start that a reload has interrupted, with its idempotency key. */
  override subscribe(listener: () => void): () => void {
    const unsubscribe = super.subscribe(listener);
    if (this.state.isStarting && this.#pending !== null) void this.#send(this.#pending);
    return unsubscribe;
  }

  /** Start a render. Returns it, or null if it could not be started. While a start is under way, returns its result. */
  readonly start = (input: StartInput): Promise<Render | null> => {
    if (this.#request !== undefined) return this.#request;
    const now = Date.now();
    const last = this.#pending; // its response may have been lost
    const isRepeated = last && now < last.repeatUntil && JSON.stringify(last.input) === JSON.stringify(input);
    const idempotencyKey = (isRepeated ? last : input).idempotencyKey ?? createIdempotencyKey();
    return this.#send({ input, idempotencyKey, repeatUntil: now + REPEAT_MS, hasFailed: false });
  };

  /** Start a new render with the input of the failed or cancelled one. Returns it, or null if that was not possible. */
  readonly retry = async (): Promise<Render | null> => {
    const { id } = this.state;
    return id === null ? null : this.#run(() => this.#client.retry(id));
  };

  /** Cancel the render, also one that is being started. */
  readonly cancel = async (): Promise<void> => {
    const request = this.#request;
    if (request && (await request) === null) return; // the start failed, and this render is the one before it
    const { id } = this.state;
    if (id === null) return;
    try {
      const render = await this.#client.cancel(id);
      if (this.state.id === id) this.set({ render });
    } catch (error) {
      if (error instanceof RenderAlreadyFinished) return; // the watch reports its end
      if (this.state.id === id) this.set({ error: toError(error) });
    }
  };

  /** Forget this render if it is still the current one. */
  forget(id: string | null): void {
    if (this.state.id !== id) return;
    this.#remember(null, this.#pending);
    this.set({ id: null, render: null });
  }

  /** Forget the render, which continues, and its errors. */
  readonly reset = (): void => {
    this.#request = undefined;
    this.#remember(null, null);
    this.set(NO_RENDER);
  };

  #send(pending: PendingStart): Promise<Render | null> {
    this.#remember(this.state.id, pending);
    return this.#run(() => this.#client.start({ ...pending.input, idempotencyKey: pending.idempotencyKey }));
  }

  #run(call: () => Promise<Render>): Promise<Render | null> {
    if (this.#request !== undefined) return this.#request;
    this.set({ error: null, isStarting: true, retryAt: null });
    const request: Promise<Render | null> = call().then(
      (render) => {
        if (this.#request === request) this.#succeed(render); // otherwise it was reset meanwhile
        return render;
      },
      (error: unknown) => {
        if (this.#request === request) this.#fail(toError(error));
        return null;
      },
    );
    this.#request = request;
    return request;
  }

  #succeed(render: Render): void {
    this.#request = undefined;
    this.#remember(render.id, null);
    this.set({ id: render.id, render, isStarting: false });
  }

  #fail(error: Error): void {
    this.#request = undefined;
    this.#remember(this.state.id, this.#pending && { ...this.#pending, hasFailed: true });
    const { retryAfterSeconds: seconds } = error as Partial<RenderQuotaExceeded & ServerUnreachable>;
    this.set({ error, isStarting: false, retryAt: seconds ? Date.now() + seconds * 1_000 : null });
  }

  #remember(id: string | null, pending: PendingStart | null): void {
    this.#pending = pending;
    this.#memory.write({ id, pending });
  }
}

/** The stores of components, by client and name. */
export type RenderStores = WeakMap<Client, Map<string, RenderStore>>;

/** Return the store of a client whose render is remembered under this key; null is not remembered. */
export function storeOf(stores: RenderStores, client: Client, key: string | null, area: StorageArea): RenderStore {
  const named = getOrAdd(stores, client, () => new Map<string, RenderStore>());
  return getOrAdd(named, `${area} ${key}`, () => new RenderStore(client, openMemory(key, area)));
}
