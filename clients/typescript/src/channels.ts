import { PROBE } from "./documents.js";
import { RendercastError, ServerUnreachable } from "./errors.js";
import { fetchOnce, parse, post, receive, rootField } from "./http.js";
import type { Context, Payload } from "./http.js";
import { limit, pause } from "./waiting.js";

/** A subscription, and the query that returns its current value. */
export interface Operation {
  readonly payload: Payload;
  readonly poll: Payload;
  /** Called before each subscription: the first, and one after each lost connection. */
  onStart?(): void;
  /** Whether the value is the final one. If it is left out, the subscription does not end. */
  isLast?(value: unknown): boolean;
}

/** A connection, or what opens one for each operation. `Context.open` has a function that ends it. */
export interface Channel {
  /** Whether it can't be used any longer. */
  isClosed: boolean;
  /** Return the values of the operation. Throws `ServerUnreachable` when the connection is lost. */
  run(operation: Operation, signal: AbortSignal): AsyncGenerator<unknown>;
}

/** Opens a channel. Rejects if the network or the server does not support it. */
export type Transport = (context: Context, signal: AbortSignal) => Promise<Channel>;

export const LIMIT_EXCEEDED = "LIMIT_EXCEEDED";
const OPEN_MS = 8_000;
const SILENCE_MS = 20_000; // the server sends a keep-alive every 7 s
const MAX_STREAMS = 3; // browsers open at most 6 connections to a host over HTTP/1.1, for all tabs
const MIN_POLL_MS = 1_000;
const MAX_POLL_MS = 5_000;
const POLLS_PER_SECOND = 10;

/** Return a channel whose operations are separate requests. At most `max` run at a time. */
function requests(
  { open }: Context,
  max: number,
  run: (operation: Operation, signal: AbortSignal, running: () => number) => AsyncGenerator<unknown>,
): Channel {
  let running = 0;
  const channel: Channel = {
    isClosed: false,
    async *run(operation, outer) {
      if (running >= max) throw new RendercastError(LIMIT_EXCEEDED);
      running++;
      const { signal, abort, end } = limit(outer);
      open.add(abort);
      try {
        yield* run(operation, signal, () => running);
      } catch (error) {
        channel.isClosed ||= error instanceof ServerUnreachable;
        throw error;
      } finally {
        running--;
        open.delete(abort);
        end();
      }
    },
  };
  return channel;
}

/** GraphQL over SSE, distinct connections mode: each operation is one request, whose response is a stream. */
export const sse: Transport = async (context, opening) => {
  for await (const _ of events(context, { query: PROBE }, opening)); // some proxies block or cut such responses
  return requests(context, MAX_STREAMS, (operation, signal) => events(context, operation.payload, signal));
};

async function* events(context: Context, payload: Payload, outer: AbortSignal): AsyncGenerator<unknown> {
  const { signal, restart, abort, end } = limit(outer);
  restart(OPEN_MS, new ServerUnreachable());
  try {
    const { body, headers } = await post(context, payload, "text/event-stream", signal);
    if (!body || !headers.get("Content-Type")?.startsWith("text/event-stream")) throw new ServerUnreachable();
    // A proxy that buffers the response holds back the first bytes too, which the server sends at once.
    restart(OPEN_MS, new RendercastError(LIMIT_EXCEEDED));
    const reader = body.getReader();
    const decoder = new TextDecoder();
    for (let text = ""; ; ) {
      const { value, done } = await receive(reader.read(), signal);
      if (done) throw new ServerUnreachable();
      restart(SILENCE_MS, new ServerUnreachable());
      const parts = (text + decoder.decode(value, { stream: true })).split(/\r?\n\r?\n/);
      text = parts.pop()!;
      for (const part of parts) {
        if (part.startsWith("event: complete")) return;
        const data = /^data: ?([^\r\n]+)/m.exec(part)?.[1];
        if (data) yield rootField(parse(data));
      }
    }
  } finally {
    abort();
    end();
  }
}

/** Repeated queries. */
export const polling: Transport = async (context, signal) => {
  await fetchOnce(context, { query: PROBE }, signal);
  return poller(context);
};

/** Return a channel that queries each value every 1 to 5 seconds, and less often if many operations run. */
export const poller = (context: Context): Channel =>
  requests(context, Infinity, async function* ({ poll }, signal, running) {
    for (let wait = MIN_POLL_MS, last = ""; ; ) {
      const value = await fetchOnce(context, poll, signal);
      if (value === null) throw new RendercastError("NOT_FOUND");
      yield value;
      const text = JSON.stringify(value);
      wait = text === last ? Math.min(MAX_POLL_MS, wait * 1.5) : MIN_POLL_MS;
      last = text;
      await pause(Math.max(wait, (running() / POLLS_PER_SECOND) * 1000), signal);
    }
  });
