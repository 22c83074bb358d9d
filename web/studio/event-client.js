// GraphQL over SSE, for networks that block WebSockets: each operation is one request, whose response is a stream.
// https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md, distinct connections mode

/** @import { GraphQLClient, GraphQLResult, GraphQLSink } from "../types.d.ts" */

const SILENCE_TIMEOUT_MS = 20_000; // the server sends a keep-alive every 7 s

/** The token is missing, invalid or expired. */
class SignInNeeded extends Error {}

/** The server will not execute the request, also not later. */
class RequestRejected extends Error {
  /** @param {readonly { message: string }[]} errors */
  constructor(errors) {
    super();
    this.errors = errors;
  }
}

/** @implements {GraphQLClient} */
export class EventClient {
  #url;
  #headers;
  #pause;
  #onConnected;
  #onClosed;
  #isLost = false;
  /** @type {Promise<void> | undefined} */
  #reconnecting; // shared by all operations
  /** @type {Set<AbortController>} */
  #responses = new Set();

  /**
   * `onConnected` is called when a subscription has started or a lost connection is restored, and `onClosed` when a
   * connection is lost. `pause` waits until the next attempt.
   * @param {object} options
   * @param {string} options.url
   * @param {() => Record<string, string>} options.headers
   * @param {(failures: number) => Promise<void>} options.pause
   * @param {() => void} options.onConnected
   * @param {(isRejected: boolean, reason: string) => void} options.onClosed
   */
  constructor({ url, headers, pause, onConnected, onClosed }) {
    this.#url = url;
    this.#headers = headers;
    this.#pause = pause;
    this.#onConnected = onConnected;
    this.#onClosed = onClosed;
  }

  /**
   * Execute an operation; again after a lost connection. Returns a function that cancels and completes it.
   * @param {{ query: string, variables?: Record<string, unknown> }} payload
   * @param {GraphQLSink} sink
   */
  subscribe(payload, sink) {
    const cancellation = new AbortController();
    this.#run(payload, sink, cancellation.signal);
    return () => {
      cancellation.abort();
      sink.complete();
    };
  }

  /** Close all connections. Operations are executed again. */
  terminate() {
    for (const response of this.#responses) response.abort();
  }

  /**
   * @param {{ query: string, variables?: Record<string, unknown> }} payload
   * @param {GraphQLSink} sink
   * @param {AbortSignal} cancelled
   */
  async #run(payload, sink, cancelled) {
    for (let failures = 0; ; ) { // attempts without a result
      await this.#reconnecting; // also before the first attempt: while signed out, until there is a token
      if (cancelled.aborted) return;
      try {
        for await (const result of this.#results(payload, cancelled)) {
          if (cancelled.aborted) return;
          failures = 0;
          sink.next(result);
        }
        return sink.complete();
      } catch (cause) {
        if (cancelled.aborted) return;
        if (cause instanceof RequestRejected) return sink.error(cause.errors);
        this.#reconnect(cause, failures++);
      }
    }
  }

  /**
   * @param {unknown} cause
   * @param {number} failures
   */
  #reconnect(cause, failures) {
    const isRejected = cause instanceof SignInNeeded;
    // Before the pause, which lasts until there is a token. Until then, another lost connection changes nothing.
    if (isRejected || !this.#reconnecting) {
      this.#isLost = true;
      this.#onClosed(isRejected, isRejected ? cause.message : "");
    }
    if (isRejected) this.terminate(); // the other requests have the same token
    this.#reconnecting ??= this.#pause(failures).then(() => (this.#reconnecting = undefined));
  }

  /**
   * Throws if the response ends early.
   * @param {{ query: string, variables?: Record<string, unknown> }} payload
   * @param {AbortSignal} cancelled
   * @yields {GraphQLResult}
   */
  async *#results(payload, cancelled) {
    const response = new AbortController();
    const abort = () => response.abort();
    cancelled.addEventListener("abort", abort);
    this.#responses.add(response);
    let timer = setTimeout(abort, SILENCE_TIMEOUT_MS);
    try {
      const text = await this.#open(payload, response.signal);
      if (this.#isLost || /^\s*subscription\b/.test(payload.query)) this.#onConnected();
      this.#isLost = false;
      let received = "";
      for (;;) {
        const { value, done } = await text.read();
        if (done) throw new Error("The response has ended early.");
        clearTimeout(timer);
        timer = setTimeout(abort, SILENCE_TIMEOUT_MS);
        const events = (received + value).split("\n\n");
        received = events.pop() ?? "";
        for (const event of events) {
          if (event.startsWith("event: complete")) return;
          const data = /^data: ([^\r\n]+)/m.exec(event)?.[1];
          if (data) yield checkSignedIn(JSON.parse(data));
        }
      }
    } finally {
      clearTimeout(timer);
      cancelled.removeEventListener("abort", abort);
      this.#responses.delete(response);
      response.abort();
    }
  }

  /**
   * Send a request and return its response's text.
   * @param {{ query: string, variables?: Record<string, unknown> }} payload
   * @param {AbortSignal} signal
   */
  async #open(payload, signal) {
    const headers = { ...this.#headers(), Accept: "text/event-stream", "Content-Type": "application/json" };
    const response = await fetch(this.#url, { method: "POST", headers, body: JSON.stringify(payload), signal });
    const isStream = response.headers.get("Content-Type")?.startsWith("text/event-stream");
    if (!response.ok && response.status < 500 && response.status !== 429) {
      throw new RequestRejected(checkSignedIn(await response.json()).errors ?? []);
    }
    if (!response.ok || !isStream || !response.body) throw new Error("The server can't be reached.");
    return response.body.pipeThrough(new TextDecoderStream()).getReader();
  }
}

/**
 * Return the result. Throws `SignInNeeded` if it is the error of a caller without a valid token.
 * @param {GraphQLResult} result
 */
function checkSignedIn(result) {
  const rejected = result.errors?.find(({ extensions }) => extensions?.code === "UNAUTHENTICATED");
  if (rejected) throw new SignInNeeded(rejected.message);
  return result;
}
