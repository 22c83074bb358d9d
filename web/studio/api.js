// The API client: one WebSocket for queries, mutations and the subscription.
//
// It reconnects when the connection is lost, and sends requests without a response again. That is safe: starts have an
// idempotency key, and the other mutations can be repeated.

/** @import { ConnectionState } from "../types.d.ts" */

const TOKEN = "rendercast-token"; // in sessionStorage
const FORBIDDEN = 4403; // close code: the token is missing, invalid or expired
const MIN_BACKOFF_MS = 500;
const MAX_BACKOFF_MS = 10_000;
const PING_INTERVAL_MS = 10_000;
const PONG_TIMEOUT_MS = 5_000;

/** An error of the API or of the connection to it. The message is a sentence for the user. */
export class ApiError extends Error {}

export class Api {
  /** @type {import("graphql-ws").Client} */
  #client;
  #isRejected = false;
  #retryNow = () => {};
  /** @type {Set<() => void>} */
  #pending = new Set(); // the cancel function of each request without a response

  /**
   * `onState` receives each new connection state, and for "signed-out" a sentence with the reason.
   * @param {object} options
   * @param {typeof import("graphql-ws").createClient} options.createClient
   * @param {string} options.url
   * @param {(state: ConnectionState, reason?: string) => void} options.onState
   */
  constructor({ createClient, url, onState }) {
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let pongTimer;
    this.#client = createClient({
      url,
      connectionParams: () => (this.isSignedIn ? { Authorization: `Bearer ${sessionStorage.getItem(TOKEN)}` } : {}),
      shouldRetry: () => true,
      retryAttempts: Infinity,
      retryWait: (retries) => this.#pause(retries),
      keepAlive: PING_INTERVAL_MS,
      on: {
        connected: () => {
          this.#isRejected = false;
          // graphql-ws first sends the operations that are waiting for the connection, including the subscription. A
          // query sent after it therefore can't miss a change between its response and the subscription's start.
          setTimeout(() => onState("live"));
        },
        closed: (event) => {
          const { code, reason } = /** @type {CloseEvent} */ (event);
          clearTimeout(pongTimer);
          this.#isRejected = code === FORBIDDEN;
          onState(this.#isRejected ? "signed-out" : "offline", reason);
        },
        ping: (received) => {
          if (!received) pongTimer = setTimeout(() => this.#client.terminate(), PONG_TIMEOUT_MS);
        },
        pong: (received) => {
          if (received) clearTimeout(pongTimer);
        },
      },
    });
    addEventListener("online", () => this.retryNow());
  }

  get isSignedIn() {
    return sessionStorage.getItem(TOKEN) !== null;
  }

  /**
   * Store the token for this tab and connect with it.
   * @param {string} token
   */
  signIn(token) {
    this.#cancelPending();
    sessionStorage.setItem(TOKEN, token.trim().replace(/^bearer\s+/i, ""));
    this.#isRejected = false;
    this.#retryNow();
  }

  /** Delete the token and disconnect. */
  signOut() {
    this.#cancelPending();
    sessionStorage.removeItem(TOKEN);
    this.#client.terminate();
  }

  /** Connect now, without waiting for the next attempt. */
  retryNow() {
    if (!this.#isRejected) this.#retryNow();
  }

  /**
   * Return the data of a query or mutation. Waits for the connection. Throws `ApiError`.
   * @template T
   * @param {string} query
   * @param {Record<string, unknown>} [variables]
   * @returns {Promise<T>}
   */
  request(query, variables) {
    return new Promise((resolve, reject) => {
      /** @type {import("graphql-ws").FormattedExecutionResult<any, unknown> | undefined} */
      let result;
      const cancel = this.#client.subscribe(
        { query, variables },
        {
          next: (received) => (result = received),
          error: (cause) => {
            this.#pending.delete(cancel);
            reject(toApiError(cause));
          },
          complete: () => {
            this.#pending.delete(cancel);
            if (result && !result.errors) resolve(result.data);
            else reject(toApiError(result?.errors));
          },
        },
      );
      this.#pending.add(cancel);
    });
  }

  /**
   * Subscribe, and subscribe again whenever the subscription ends. `onError` receives the reason as a sentence.
   * @param {string} query
   * @param {(data: any) => void} onData
   * @param {(message: string) => void} onError
   */
  async subscribe(query, onData, onError) {
    for (let failures = 0; ; failures++) {
      try {
        for await (const { data, errors } of this.#client.iterate({ query })) {
          if (errors) throw errors;
          failures = 0;
          onData(data);
        }
      } catch (cause) {
        onError(toApiError(cause).message);
      }
      await this.#pause(failures);
    }
  }

  /** Cancel all pending requests: one user's request must not be executed with the next user's token. */
  #cancelPending() {
    for (const cancel of this.#pending) cancel();
  }

  /**
   * Wait with exponential backoff and jitter; while signed out, until there is a token.
   * @param {number} retries
   * @returns {Promise<void>}
   */
  async #pause(retries) {
    const wait = Math.min(MAX_BACKOFF_MS, MIN_BACKOFF_MS * 2 ** retries) * (0.5 + Math.random() / 2);
    await new Promise((/** @type {(value?: undefined) => void} */ resolve) => {
      this.#retryNow = resolve;
      if (!this.#isRejected) setTimeout(resolve, wait);
    });
  }
}

/**
 * Return the error for a list of GraphQL errors, for a close event, or for a failed connection.
 * @param {any} cause
 */
function toApiError(cause) {
  if (Array.isArray(cause)) return new ApiError(cause.map(({ message }) => message).join(" "));
  return new ApiError(cause?.reason || "The server can't be reached. Please try again.");
}
