import { RendercastError, ServerUnreachable, Unauthenticated, fromGraphQL } from "./errors.js";
import { backoff, limit, pause, within } from "./waiting.js";

const ATTEMPT_MS = 15_000;
const TOTAL_MS = 60_000;

export interface Payload {
  readonly query: string;
  readonly variables?: object;
}

/** What requests of a client have in common. */
export interface Context {
  readonly url: string;
  readonly fetch: typeof fetch;
  readonly WebSocket: typeof WebSocket;
  /** What ends each open connection and stream. */
  readonly open: Set<(reason: Error) => void>;
  /** Return the user's token as HTTP headers, which are the parameters of `connection_init` too. */
  credentials(signal: AbortSignal): Promise<Record<string, string>>;
  /** Report that the server has rejected the token. */
  reject(): void;
}

/** The body of a response, or the payload of a message. */
interface Result {
  readonly data?: object | null;
  readonly errors?: unknown;
}

/**
 * Return the value of the root field. Repeats the request for a minute while the server can't be reached or is busy,
 * and once with another token. `onRepeat` is called before a request that the server may have executed already.
 */
export async function request<T>(
  context: Context,
  payload: Payload,
  outer?: AbortSignal,
  onRepeat?: () => void,
): Promise<T> {
  const until = performance.now() + TOTAL_MS;
  const { signal, end } = limit(outer);
  try {
    for (let failures = 0, rejections = 0; ; ) {
      try {
        return (await fetchOnce(context, payload, signal)) as T;
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof Unauthenticated && !rejections++) {
          context.reject();
          continue;
        }
        if (!(error instanceof ServerUnreachable)) throw error;
        const wait = Math.max(backoff(failures++), (error.retryAfterSeconds ?? 0) * 1000);
        if (performance.now() + wait > until) throw error;
        await pause(wait, signal);
        onRepeat?.();
      }
    }
  } finally {
    end();
  }
}

/** Send a query or mutation once, and return the value of the root field. */
export async function fetchOnce(context: Context, payload: Payload, outer: AbortSignal): Promise<unknown> {
  const { signal, restart, abort, end } = limit(outer);
  restart(ATTEMPT_MS, new ServerUnreachable());
  try {
    const response = await post(context, payload, "application/json", signal);
    return rootField(parse(await receive(response.text(), signal)));
  } finally {
    abort(); // the body of an error is not read
    end();
  }
}

/** Send a request. Throws the error of a response with an error status. */
export async function post(
  context: Context,
  payload: Payload,
  accept: string,
  signal: AbortSignal,
): Promise<Response> {
  const headers = { ...(await context.credentials(signal)), Accept: accept, "Content-Type": "application/json" };
  const body = JSON.stringify(payload);
  const response = await receive(context.fetch(context.url, { method: "POST", headers, body, signal }), signal);
  const { ok, status } = response;
  if (ok) return response;
  const isJson = response.headers.get("Content-Type")?.includes("json");
  const errors = isJson ? parse(await receive(response.text(), signal)).errors : undefined;
  if (status === 429 || status >= 500) {
    const retryAfterSeconds = Number(response.headers.get("Retry-After")) || undefined;
    const { message, code } = errors ? fromGraphQL(errors) : new ServerUnreachable();
    throw new ServerUnreachable(message, { code, retryAfterSeconds });
  }
  throw errors ? fromGraphQL(errors) : status === 401 ? new Unauthenticated() : badResponse(status);
}

/** Wait for a part of a response. Rejects with `ServerUnreachable`, or with the signal's reason. */
export const receive = <T>(part: Promise<T>, signal: AbortSignal): Promise<T> =>
  within(signal, part).catch((cause: unknown) => {
    signal.throwIfAborted();
    throw new ServerUnreachable(undefined, { cause });
  });

/** Return the GraphQL result that a text contains. Throws if it is not JSON. */
export function parse(text: string): Result {
  try {
    return (JSON.parse(text) as Result | null) ?? {};
  } catch (cause) {
    throw badResponse(cause);
  }
}

/** Return the value of the only root field of a GraphQL result. Throws its errors. */
export function rootField({ data, errors }: Result): unknown {
  if (errors) throw fromGraphQL(errors);
  if (!data) throw badResponse();
  return Object.values(data)[0];
}

const badResponse = (cause?: unknown) =>
  new RendercastError("NOT_RENDERCAST", "The response is not from Rendercast. Check the URL.", { cause });
