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

const shown = (render) => ({
  id: render.id,
  revision: render.revision,
  status: upper(render.status),
  phase: upper(render.phase),
  progress: render.progress,
  framesRendered: render.frames_rendered,
  totalFrames: render.props.duration_in_frames,
});

/** Current renders and their changes. Each message is decoded once for all subscribers. */
class Hub {
  #subscribers = new Map(); // channel → functions that accept a render
  #renders;
  #redis;

  constructor(redisUrl, rendersFile) {
    this.#renders = new Map(JSON.parse(readFileSync(rendersFile)).map((render) => [render.id, render]));
    this.#redis = new Redis(redisUrl);
    this.#redis.on("message", (channel, message) => {
      const subscribers = this.#subscribers.get(channel);
      if (!subscribers) return;
      const render = shown(JSON.parse(message).render);
      for (const take of subscribers) take(render);
    });
  }

  /** Yields the current render, then each change. */
  watch(id) {
    const stored = this.#renders.get(id);
    const { channel } = stored;
    const pending = [shown(stored)];
    let wake = null;
    const take = (render) => {
      if (render.id !== id) return;
      if (wake) {
        wake({ value: render, done: false });
        wake = null;
      } else pending.push(render);
    };
    if (!this.#subscribers.has(channel)) {
      this.#subscribers.set(channel, new Set());
      this.#redis.subscribe(channel);
    }
    this.#subscribers.get(channel).add(take);
    return {
      next: () =>
        pending.length
          ? Promise.resolve({ value: pending.shift(), done: false })
          : new Promise((resolve) => (wake = resolve)),
      return: () => {
        this.#subscribers.get(channel).delete(take);
        return Promise.resolve({ value: undefined, done: true });
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }
}

export function makeSchema(redisUrl, rendersFile) {
  const hub = new Hub(redisUrl, rendersFile);
  const schema = buildSchema(SDL);
  const field = schema.getSubscriptionType().getFields().renderProgress;
  field.subscribe = (_, { renderId }) => hub.watch(renderId);
  field.resolve = (render) => render;
  return schema;
}
