// The API client: one WebSocket for queries, mutations and the subscription, or SSE if a WebSocket can't be opened.
//
// It reconnects when the connection is lost, and sends requests without a response again. That is safe: starts have an
// idempotency key, and the other mutations can be repeated.

import { EventClient } from "./event-client.js";
import { Operation } from "./operation.js";

/** @import { ConnectionState, GraphQLClient, GraphQLSink } from "../types.d.ts" */
/** @import { Payload } from "./operation.js" */

const TRANSPORT = "rendercast-transport"; // in sessionStorage: "sse" if WebSockets are blocked
const HANDSHAKE_TIMEOUT_MS = 8_000;
const ACK_TIMEOUT_MS = 5_000;
export const TOKEN = "rendercast-token"; // in sessionStorage
const FORBIDDEN = 4403; // close code: the token is missing, invalid or expired
const TRY_AGAIN_LATER = 1013; // close code: the user has too many connections, or tokens can't be verified now
const MIN_BACKOFF_MS = 500;
const MAX_BACKOFF_MS = 10_000;
const PING_INTERVAL_MS = 10_000;
const PONG_TIMEOUT_MS = 5_000;

/** An error of the API or of the connection to it. The message is a sentence for the user. */
export class ApiError extends Error {}

export class Api {
  /** @type {GraphQLClient} */
  #client;
  #url;
  #onState;
  #isRejected = false;
  /** @type {Set<() => void>} */
  #pauses = new Set(); // the function that ends each pause
  /** @type {Set<() => void>} */
  #pending = new Set(); // the cancel function of each request without a response
  /** @type {Set<Operation>} */
  #operations = new Set();

  /**
   * `onState` receives each new connection state, and for "signed-out" a sentence with the reason.
   * @param {object} options
   * @param {typeof import("graphql-ws").createClient} options.createClient
   * @param {string} options.url of the API over HTTP
   * @param {(state: ConnectionState, reason?: string) => void} options.onState
   */
  constructor({ createClient, url, onState }) {
    this.#url = url;
    this.#onState = onState;
    this.#client = sessionStorage.getItem(TRANSPORT) === "sse" ? this.#eventClient() : this.#socketClient(createClient);
    addEventListener("online", () => this.retryNow());
  }

  /** @param {typeof import("graphql-ws").createClient} createClient */
  #socketClient(createClient) {
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let pongTimer;
    let wasReached = false; // whether the server has replied on a WebSocket
    const handshakeTimer = setTimeout(() => this.#switchIfBlocked(), HANDSHAKE_TIMEOUT_MS);
    const onReached = () => {
      wasReached = true;
      clearTimeout(handshakeTimer);
    };
    const client = createClient({
      url: this.#url.replace("http", "ws"),
      connectionParams: () => this.#headers(),
      connectionAckWaitTimeout: ACK_TIMEOUT_MS,
      shouldRetry: () => true,
      retryAttempts: Infinity,
      retryWait: (retries) => this.#pause(retries),
      keepAlive: PING_INTERVAL_MS,
      on: {
        connected: () => {
          onReached();
          if (client === this.#client) this.#onConnected();
        },
        closed: (event) => {
          const { code, reason } = /** @type {CloseEvent} */ (event);
          clearTimeout(pongTimer);
          if (client !== this.#client) return; // an attempt from before the switch to SSE
          this.#onClosed(code === FORBIDDEN, reason);
          if (code === FORBIDDEN || code === TRY_AGAIN_LATER) onReached();
          else if (!wasReached) this.#switchIfBlocked();
        },
        ping: (received) => {
          if (!received) pongTimer = setTimeout(() => client.terminate(), PONG_TIMEOUT_MS);
        },
        pong: (received) => {
          if (received) clearTimeout(pongTimer);
        },
      },
    });
    return client;
  }

  #eventClient() {
    return new EventClient({
      url: this.#url,
      headers: () => this.#headers(),
      pause: (failures) => this.#pause(failures),
      onConnected: () => this.#onConnected(),
      onClosed: (isRejected, reason) => this.#onClosed(isRejected, reason),
    });
  }

  /** Use SSE from now on if the server can be reached that way, although no WebSocket has been opened yet. */
  async #switchIfBlocked() {
    const client = this.#client;
    if (client instanceof EventClient) return;
    const headers = { Accept: "text/event-stream", "Content-Type": "application/json" };
    const body = JSON.stringify({ query: "{ __typename }" });
    try {
      const response = await fetch(this.#url, { method: "POST", headers, body });
      if (!response.headers.get("Content-Type")?.startsWith("text/event-stream")) return;
    } catch {
      return; // the server is unavailable
    }
    if (client !== this.#client) return;
    sessionStorage.setItem(TRANSPORT, "sse");
    this.#client = this.#eventClient();
    for (const operation of this.#operations) operation.restart(this.#client);
  }

  #headers() {
    /** @type {Record<string, string>} */
    const headers = {};
    if (this.isSignedIn) headers.Authorization = `Bearer ${sessionStorage.getItem(TOKEN)}`;
    return headers;
  }

  #onConnected() {
    this.#isRejected = false;
    // Operations that waited for the connection are sent first, including the subscription. A query sent after it
    // therefore can't miss a change between its response and the subscription's start.
    setTimeout(() => {
      if (!this.#isRejected) this.#onState("live");
    });
  }

  /**
   * @param {boolean} isRejected
   * @param {string} reason
   */
  #onClosed(isRejected, reason) {
    this.#isRejected = isRejected;
    this.#onState(isRejected ? "signed-out" : "offline", reason);
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
    this.retryNow();
  }

  /** Delete the token and disconnect. */
  signOut() {
    this.#cancelPending();
    sessionStorage.removeItem(TOKEN);
    this.#client.terminate();
  }

  /** Connect now, without waiting for the next attempt. */
  retryNow() {
    if (!this.#isRejected) for (const end of this.#pauses) end();
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
      /** @type {import("../types.d.ts").GraphQLResult | undefined} */
      let result;
      const cancel = this.#execute(
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
      /** @type {(() => void) | undefined} */
      let cancel;
      try {
        await new Promise((/** @type {(value?: undefined) => void} */ resolve, reject) => {
          const next = (/** @type {import("../types.d.ts").GraphQLResult} */ { data, errors }) => {
            if (errors) return reject(errors);
            failures = 0;
            onData(data);
          };
          cancel = this.#execute({ query }, { next, error: reject, complete: resolve });
        });
      } catch (cause) {
        onError(toApiError(cause).message);
      }
      cancel?.();
      await this.#pause(failures);
    }
  }

  /**
   * Execute an operation, also after a switch of transports. Returns a function that cancels it.
   * @param {Payload} payload
   * @param {GraphQLSink} sink
   */
  #execute(payload, sink) {
    const operation = new Operation(payload, sink, () => this.#operations.delete(operation));
    this.#operations.add(operation);
    operation.restart(this.#client);
    return () => {
      this.#operations.delete(operation);
      operation.cancel();
    };
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
      const end = () => {
        this.#pauses.delete(end);
        resolve();
      };
      this.#pauses.add(end);
      setTimeout(() => this.#isRejected || end(), wait);
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
