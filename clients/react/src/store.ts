/** A value outside of React, which components read with `useSyncExternalStore`. */
export class Store<State extends object> {
  state: State;
  readonly #listeners = new Set<() => void>();

  constructor(initial: State) {
    this.state = initial;
    this.subscribe = this.subscribe.bind(this); // React calls it without `this`
  }

  /** Replace these fields and notify all subscribers. */
  set(change: Partial<State>): void {
    this.state = { ...this.state, ...change };
    for (const listener of this.#listeners) listener();
  }

  get isWatched(): boolean {
    return this.#listeners.size > 0;
  }

  /** Call `listener` after each change. Returns a function that ends this. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}

/** Return what was thrown as an `Error`: a token function may throw anything. */
export function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

/** Return the value of a key of the map; creates and adds it if it is missing. */
export function getOrAdd<Key, Value>(
  map: Pick<Map<Key, Value>, "get"> & { set(key: Key, value: Value): unknown },
  key: Key,
  create: () => Value,
): Value {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = create()));
  return value;
}
