import { createClient } from "graphql-ws";
import { credentials, renewCredentials } from "./session";

export type Connection = { state: "connecting" | "live" | "offline" | "signed out" | "rejected"; reason: string };

const FORBIDDEN = 4403; // the token is missing, invalid or expired
const FATAL_CODES = new Set([4400, 4401, 4406, 4409, 4429]); // graphql-ws does not retry after these
const PING_INTERVAL_MS = 10_000;
const PONG_TIMEOUT_MS = 5_000;
const MAX_WAIT_MS = 15_000;

const address = document.querySelector<HTMLMetaElement>('meta[name="rendercast"]')?.content;
export const HTTP_URL = new URL(address ?? "/graphql", document.baseURI).href;

let connection: Connection = { state: "connecting", reason: "" };
let pongTimer: ReturnType<typeof setTimeout> | undefined;
const listeners = new Set<() => void>();

export const socket = createClient({
  url: HTTP_URL.replace(/^http/, "ws"),
  connectionParams: credentials, // called for each connection
  lazyCloseTimeout: 5_000, // keep the connection while the page changes its subscriptions
  keepAlive: PING_INTERVAL_MS, // detects a dead connection
  shouldRetry: () => true, // also if the server is unreachable
  retryAttempts: Infinity,
  retryWait: pause,
  on: {
    connected: () => setConnection("live"),
    closed: (event) => {
      clearTimeout(pongTimer);
      const { code, reason } = event as CloseEvent;
      if (code === FORBIDDEN) void renewCredentials();
      setConnection(stateAfter(code), reason);
    },
    ping: (received) => {
      if (!received) pongTimer = setTimeout(() => socket.terminate(), PONG_TIMEOUT_MS);
    },
    pong: (received) => {
      if (received) clearTimeout(pongTimer);
    },
  },
});

export const currentConnection = (): Connection => connection;

export function subscribeToConnection(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Call `listener` after each connect, when the subscriptions have been sent. */
export function onConnected(listener: () => void): () => void {
  return socket.on("connected", () => setTimeout(listener));
}

function setConnection(state: Connection["state"], reason = ""): void {
  connection = { state, reason };
  for (const listener of listeners) listener();
}

function stateAfter(code: number): Connection["state"] {
  if (code === FORBIDDEN) return "signed out";
  return FATAL_CODES.has(code) ? "rejected" : "offline";
}

/** Wait with exponential backoff and jitter, at most until the browser is online again. */
async function pause(retries: number): Promise<void> {
  const wait = Math.min(MAX_WAIT_MS, 500 * 2 ** retries) * (0.5 + Math.random() / 2);
  await new Promise<void>((resolve) => {
    setTimeout(resolve, wait);
    addEventListener("online", () => resolve(), { once: true });
  });
}
