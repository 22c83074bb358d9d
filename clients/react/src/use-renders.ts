"use client";

import type { Client, Render, RenderFilter } from "@rendercast/client";
import { useMemo } from "react";
import { findLive, Live, useLive } from "./live.js";
import { useClient } from "./provider.js";

const PAGE_SIZE = 20;

export interface UseRendersOptions {
  /** Which renders to list. Default: all of the user. */
  filter?: RenderFilter | undefined;
  /** Number of renders at first, and that `loadMore` adds. Default: 20. */
  first?: number | undefined;
}

interface ListState {
  /** The newest renders first. */
  readonly renders: readonly Render[];
  /** Why they could not be loaded or are no longer updated; null otherwise. */
  readonly error: Error | null;
  /** Whether renders are being loaded. */
  readonly isLoading: boolean;
  /** Whether there are older renders. */
  readonly hasMore: boolean;
}

export interface RenderList extends ListState {
  /** Show older renders too. */
  readonly loadMore: () => void;
  /** Load the renders again, such as after an error. */
  readonly refresh: () => void;
}

const NOT_LOADED: ListState = { renders: [], error: null, isLoading: true, hasMore: false };

class LiveList extends Live<ListState, readonly Render[]> {
  readonly #filter: RenderFilter;
  readonly #pageSize: number;
  #number: number;

  constructor(client: Client, filter: RenderFilter, pageSize: number, onIdle: () => void) {
    super(client, NOT_LOADED, onIdle);
    this.#filter = filter;
    this.#number = this.#pageSize = pageSize;
  }

  loadMore(): void {
    if (this.state.isLoading || !this.state.hasMore) return;
    this.#number += this.#pageSize;
    this.refresh();
  }

  refresh(): void {
    this.set({ isLoading: true });
    this.restart();
  }

  /** One more than is shown, to know whether there are more. */
  protected override open(): AsyncIterableIterator<readonly Render[]> {
    return this.client.watchList({ filter: this.#filter, first: this.#number + 1 });
  }

  protected override receive(renders: readonly Render[]): ListState {
    const hasMore = renders.length > this.#number;
    return { renders: renders.slice(0, this.#number), error: null, isLoading: false, hasMore };
  }

  protected override fail(error: Error): Partial<ListState> {
    return { error, isLoading: false };
  }
}

/**
 * List the user's renders, newest first. New ones and changes appear by themselves.
 *
 * Components with the same options share the list.
 */
export function useRenders({ filter = {}, first = PAGE_SIZE }: UseRendersOptions = {}): RenderList {
  const client = useClient();
  const name = `renders ${JSON.stringify([filter, first])}`;
  const state = useLive(client, name, NOT_LOADED, (onIdle) => new LiveList(client, filter, first, onIdle));
  return useMemo(() => {
    const list = (): LiveList | undefined => findLive(client, name);
    return { ...state, loadMore: () => list()?.loadMore(), refresh: () => list()?.refresh() };
  }, [state, client, name]);
}
