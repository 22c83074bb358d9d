"use client";

import type { Client, Render } from "@rendercast/client";
import { findLive, Live, useLive } from "./live.js";
import { useClient } from "./provider.js";

export interface RenderProgressState {
  /** The newest state of the render; null before the first one has arrived. */
  readonly render: Render | null;
  /** Why it is no longer watched, such as a `RenderNotFound`; null otherwise. */
  readonly error: Error | null;
}

const UNKNOWN: RenderProgressState = { render: null, error: null };

class LiveRender extends Live<RenderProgressState, Render> {
  readonly #id: string;

  constructor(client: Client, id: string, onIdle: () => void) {
    super(client, UNKNOWN, onIdle);
    this.#id = id;
  }

  protected override open(): AsyncIterableIterator<Render> {
    return this.client.watch(this.#id);
  }

  protected override receive(render: Render): RenderProgressState {
    return { render, error: null };
  }
}

/** Watch the render again from its current state, whose URLs are valid. */
export function watchAgain(client: Client, id: string | null): void {
  findLive<LiveRender>(client, `render ${id}`)?.restart();
}

/**
 * Watch a render until it has ended. Reconnects by itself. All components with the same id share one subscription.
 *
 * `id` is the id of one of the user's renders; null or undefined watches nothing.
 */
export function useRenderProgress(id: string | null | undefined): RenderProgressState {
  const client = useClient();
  const name = id ? `render ${id}` : null;
  return useLive(client, name, UNKNOWN, (onIdle) => new LiveRender(client, id ?? "", onIdle));
}
