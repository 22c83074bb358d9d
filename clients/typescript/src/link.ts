import { LIMIT_EXCEEDED, poller } from "./channels.js";
import type { Channel, Operation, Transport } from "./channels.js";
import { RendercastError, ServerUnreachable, Unauthenticated } from "./errors.js";
import type { Context } from "./http.js";
import { backoff, limit, pause, visible, within } from "./waiting.js";

const IDLE_MS = 300; // a connection is kept while a page replaces its subscriptions
const HIDDEN_MS = 5_000; // a tab that is hidden for so long is disconnected
const STABLE_MS = 3_000; // a connection that lasted so long was not a failed attempt
const FALLBACK_MS = 300_000; // then the preferred transports are tried again
const POLL_MS = 60_000; // an operation is polled for so long after a limit rejected its subscription
const MAX_REJECTIONS = 3; // of tokens, without a value in between
const MAX_SERVER_ERRORS = 8; // without a value in between

/** Yields the operation's values, from the current to the last, and returns after the last. */
export type Follow = (operation: Operation, signal: AbortSignal) => AsyncGenerator<unknown>;

/** Return a function for all operations of a client: it chooses the transport, which they share, and reconnects. */
export function createFollow(context: Context, transports: readonly Transport[], pauseWhenHidden: boolean): Follow {
  const page = pauseWhenHidden ? globalThis.document : undefined;
  let users = 0;
  let current: Promise<Channel> | undefined;
  const polled = poller(context); // for operations that a limit has rejected
  let openedAt = 0;
  let attempts = 0;
  let best = transports.length; // index of the first transport that has worked
  let fallbackUntil = 0;
  let timer: ReturnType<typeof setTimeout> | undefined; // disconnects a hidden tab, or a client without operations

  function disconnect(): void {
    for (const end of context.open) end(new ServerUnreachable());
    current = undefined;
    attempts = 0;
  }

  function onVisibilityChange(): void {
    clearTimeout(timer);
    if (page?.hidden) timer = setTimeout(disconnect, HIDDEN_MS);
  }

  async function connect(): Promise<Channel> {
    const { signal, abort, end } = limit();
    context.open.add(abort);
    try {
      if (attempts && performance.now() - openedAt > STABLE_MS) attempts = 1;
      for (;;) {
        if (attempts) await pause(backoff(attempts - 1), signal);
        await visible(page, signal);
        attempts++;
        let error: unknown;
        for (let index = performance.now() < fallbackUntil ? best : 0; index < transports.length; index++) {
          try {
            const channel = await transports[index]!(context, signal);
            openedAt = performance.now();
            if (index <= best) {
              best = index;
              fallbackUntil = index && openedAt + FALLBACK_MS;
            }
            return channel;
          } catch (cause) {
            signal.throwIfAborted();
            if (cause instanceof Unauthenticated) throw cause;
            error = cause;
          }
        }
        if (!(error instanceof RendercastError)) throw error;
      }
    } finally {
      context.open.delete(abort);
      end();
    }
  }

  return async function* follow(operation, signal) {
    let rejections = 0;
    let failures = 0;
    let pollUntil = 0;
    onVisibilityChange();
    if (!users++) page?.addEventListener("visibilitychange", onVisibilityChange);
    try {
      for (;;) {
        const pending = (current ??= connect());
        let channel: Channel | undefined;
        try {
          channel = await within(signal, pending);
          const isPolled = performance.now() < pollUntil;
          operation.onStart?.();
          for await (const value of (isPolled ? polled : channel).run(operation, signal)) {
            rejections = failures = 0;
            yield value;
            if (operation.isLast?.(value)) return;
            if (isPolled && performance.now() > pollUntil) break;
          }
          if (isPolled) continue;
        } catch (error) {
          signal.throwIfAborted();
          if (current === pending && channel?.isClosed !== false) current = undefined;
          const { code } = error as RendercastError;
          if (error instanceof Unauthenticated) {
            context.reject();
            attempts = 1; // it may have expired
            if (++rejections >= MAX_REJECTIONS) throw error;
          } else if (code === LIMIT_EXCEEDED && performance.now() > pollUntil) {
            pollUntil = performance.now() + POLL_MS;
            continue;
          } else if (code === "INTERNAL") {
            if (failures >= MAX_SERVER_ERRORS) throw error;
          } else if (code !== "NOT_RENDERCAST" && !(error instanceof ServerUnreachable)) {
            throw error;
          }
        }
        // A lost connection is opened again after a wait of all operations together.
        if (channel?.isClosed === false) await pause(backoff(failures++), signal);
      }
    } finally {
      if (!--users) {
        clearTimeout(timer);
        page?.removeEventListener("visibilitychange", onVisibilityChange);
        timer = setTimeout(disconnect, IDLE_MS);
      }
    }
  };
}
