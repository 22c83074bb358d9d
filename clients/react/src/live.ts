"use client";

import type { Client } from "@rendercast/client";
import { useCallback, useSyncExternalStore } from "react";
import { getOrAdd, Store, toError } from "./store.js";

interface WithError {
  /** Why it is no longer updated; null otherwise. */
  readonly error: Error | null;
}

/** A state that is updated by the values of an iterator, from the first subscription until the last one has ended. */
export abstract class Live<State extends WithError, Value> extends Store<State> {
  protected readonly client: Client;
  readonly #onIdle: () => void;
  #values: AsyncIterableIterator<Value> | undefined;

  constructor(client: Client, initial: State, onIdle: () => void) {
    super(initial);
    this.client = client;
    this.#onIdle = onIdle;
  }

  protected abstract open(): AsyncIterableIterator<Value>;

  /** Return what a value changes. */
  protected abstract receive(value: Value): Partial<State>;

  /** Return what an error changes. */
  protected fail(error: Error): Partial<State> {
    return { error } as Partial<State>;
  }

  override subscribe(listener: () => void): () => void {
    const unsubscribe = super.subscribe(listener);
    if (!this.#values || this.state.error) this.restart();
    return () => {
      unsubscribe();
      queueMicrotask(() => {
        if (this.isWatched || !this.#values) return; // React may subscribe again at once, always in StrictMode
        void this.#values.return?.();
        this.#values = undefined;
        this.#onIdle();
      });
    };
  }

  /** Open the iterator again. The state remains until its first value, without an error. */
  restart(): void {
    if (this.state.error) this.set({ error: null } as Partial<State>);
    void this.#values?.return?.();
    this.#values = this.open();
    void this.#read(this.#values);
  }

  async #read(values: AsyncIterableIterator<Value>): Promise<void> {
    try {
      for await (const value of values) {
        if (this.#values !== values) return;
        this.set(this.receive(value));
      }
    } catch (error) {
      if (this.#values === values) this.set(this.fail(toError(error)));
    }
  }
}

/** The live states that components watch, by client and name. The name determines the type of the state. */
const entries = new WeakMap<Client, Map<string | null, unknown>>();

const entriesOf = (client: Client) => getOrAdd(entries, client, () => new Map<string | null, unknown>());

/** Return the live state that components watch under this name. */
export function findLive<Entry>(client: Client, name: string | null): Entry | undefined {
  return entriesOf(client).get(name) as Entry | undefined;
}

/**
 * Watch a state. All components with the same client and name share it; null watches nothing.
 *
 * `initial` is the state before the subscription, on the server and while hydrating.
 */
export function useLive<State extends WithError, Value>(
  client: Client,
  name: string | null,
  initial: State,
  create: (onIdle: () => void) => Live<State, Value>,
): State {
  const subscribe = useCallback(
    (listener: () => void) => {
      if (name === null) return () => {};
      const all = entriesOf(client);
      const live = getOrAdd(all, name, () => create(() => void all.delete(name))) as Live<State, Value>;
      return live.subscribe(listener);
    },
    [client, name], // `create` creates the same for the same name
  );
  const read = (): State => findLive<Live<State, Value>>(client, name)?.state ?? initial;
  return useSyncExternalStore(subscribe, read, () => initial);
}
