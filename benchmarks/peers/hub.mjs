// Shared by the Node servers: the measured part of the schema, and the renders that Redis publishes.
import { readFileSync } from "node:fs";
import { buildSchema } from "graphql";
import Redis from "ioredis";

const SDL = `
  enum RenderStatus { QUEUED RENDERING COMPLETE FAILED CANCELLED }
  enum RenderPhase { LAUNCHING RENDERING_FRAMES ENCODING COMBINING }
  type Render {
    id: ID!  revision: Int!  status: RenderStatus!  phase: RenderPhase  progress: Int!
    framesRendered: Int!  totalFrames: Int!
  }
  type Query { render(id: ID!): Render }
  type Subscription { renderProgress(renderId: ID!): Render! }
`;

const upper = (text) => text && text.toUpperCase().replaceAll("-", "_");

/** The render in GraphQL. Documents leave out fields that have their defaults. */
const shown = ({ id, revision = 1, status = "queued", phase, progress = 0, frames_rendered = 0, props }) => ({
  id,
  revision,
  status: upper(status),
  phase: upper(phase),
  progress,
  framesRendered: frames_rendered,
  totalFrames: props.duration_in_frames,
});

/** Current renders and their changes. Each message is decoded once for all subscribers. */
export class Hub {
  #listeners = new Map(); // render id → functions that accept a render
  #renders;
  #redis;

  constructor(redisUrl, rendersFile) {
    this.#renders = new Map(JSON.parse(readFileSync(rendersFile)).map((render) => [render.id, render]));
    this.#redis = new Redis(redisUrl);
    this.#redis.on("message", (_, message) => {
      const render = shown(JSON.parse(message).render);
      for (const take of this.#listeners.get(render.id) ?? []) take(render);
    });
  }

  /** Returns the current render. */
  current(id) {
    return shown(this.#renders.get(id));
  }

  /** Calls `take` with each change of the render. Returns the function that ends this. */
  listen(id, take) {
    if (!this.#listeners.has(id)) {
      this.#listeners.set(id, new Set());
      this.#redis.subscribe(this.#renders.get(id).channel); // of the owner
    }
    this.#listeners.get(id).add(take);
    return () => this.#listeners.get(id).delete(take);
  }

  /** Yields the current render, then each change. */
  watch(id) {
    const pending = [this.current(id)];
    let wake = null;
    const stop = this.listen(id, (render) => {
      if (wake) {
        wake({ value: render, done: false });
        wake = null;
      } else pending.push(render);
    });
    return {
      next: () =>
        pending.length
          ? Promise.resolve({ value: pending.shift(), done: false })
          : new Promise((resolve) => (wake = resolve)),
      return: () => {
        stop();
        return Promise.resolve({ value: undefined, done: true });
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }
}

export function makeSchema(hub) {
  const schema = buildSchema(SDL);
  const field = schema.getSubscriptionType().getFields().renderProgress;
  field.subscribe = (_, { renderId }) => hub.watch(renderId);
  field.resolve = (render) => render;
  return schema;
}
