"use client";

import { hasEnded, type Render, RenderNotFound, type StartInput } from "@rendercast/client";
import { useEffect, useMemo, useState, useSyncExternalStore } from "react";
import type { StorageArea } from "./memory.js";
import { useClient } from "./provider.js";
import { NO_RENDER, type RenderStores, storeOf } from "./render-store.js";
import { useRenderProgress, watchAgain } from "./use-render-progress.js";

export interface UseRenderOptions {
  /**
   * A name under which the browser remembers the render, so that it survives a reload of the page. Components with the
   * same key share one render. Include the id of the user if several users can sign in on this page.
   */
  key?: string | undefined;
  /** Where it is remembered: for this tab (the default), or for all tabs that are opened later. */
  storage?: StorageArea | undefined;
}

export interface RenderHandle {
  /** The id of the render; null before the first start. */
  readonly id: string | null;
  /** The newest state of the render; null before the first start, and until a remembered one is loaded. */
  readonly render: Render | null;
  /** The error of the last action, or why the render is no longer watched; null otherwise. */
  readonly error: Error | null;
  /** Whether a start or retry is under way. */
  readonly isStarting: boolean;
  /** Whether there is a render that has not ended, or a remembered one whose state is not loaded yet. */
  readonly isRunning: boolean;
  /** When the server accepts the next start, in ms as `Date.now()`, after a `RenderQuotaExceeded`; null otherwise. */
  readonly retryAt: number | null;
  /** Start a render. Returns it, or null after an error. While a start is under way, a second call starts nothing. */
  readonly start: (input: StartInput) => Promise<Render | null>;
  /** Cancel the render, also one that is being started. */
  readonly cancel: () => Promise<void>;
  /** Start a new render with the input of the failed or cancelled one. Returns it, or null after an error. */
  readonly retry: () => Promise<Render | null>;
  /** Load the render again, such as when a URL has expired: `<video onError={…}>`. */
  readonly refresh: () => void;
  /** Forget the render and the error. The render itself continues. */
  readonly reset: () => void;
}

/** The stores that have a key, which components share. */
const shared: RenderStores = new WeakMap();

/** Start a render and watch it. Actions don't reject: their error is in `error`. */
export function useRender({ key, storage = "session" }: UseRenderOptions = {}): RenderHandle {
  const client = useClient();
  const [own] = useState<RenderStores>(() => new WeakMap());
  const isShared = key !== undefined && typeof document !== "undefined"; // a server would keep all its users' stores
  const store = storeOf(isShared ? shared : own, client, isShared ? key : null, storage);
  const started = useSyncExternalStore(store.subscribe, () => store.state, () => NO_RENDER);
  const watched = useRenderProgress(started.id);
  const isUnknown = watched.error instanceof RenderNotFound;
  useEffect(() => {
    if (isUnknown) store.forget(started.id); // deleted, or of another user
  }, [isUnknown, started.id, store]);
  return useMemo(() => {
    const { start, cancel, retry, reset } = store;
    const render = newest(started.render, watched.render);
    const error = started.error ?? (isUnknown ? null : watched.error);
    const isRunning = started.id !== null && watched.error === null && (render === null || !hasEnded(render));
    const refresh = (): void => watchAgain(client, started.id);
    return { ...started, render, error, isRunning, start, cancel, retry, refresh, reset };
  }, [client, started, watched, isUnknown, store]);
}

/** Responses and messages can arrive in any order. */
function newest(one: Render | null, other: Render | null): Render | null {
  return one === null || (other !== null && other.revision >= one.revision) ? other : one;
}
