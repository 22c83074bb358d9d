import { polling, sse } from "./channels.js";
import * as documents from "./documents.js";
import { RenderNotFound, RendercastError, ServerUnreachable, unwrap } from "./errors.js";
import type { RenderAlreadyFinished, Result } from "./errors.js";
import { request } from "./http.js";
import type { Context } from "./http.js";
import { createIdempotencyKey, toStartInput } from "./input.js";
import type { StartInput } from "./input.js";
import { iterate } from "./iterate.js";
import { createFollow } from "./link.js";
import { websocket } from "./socket.js";
import type * as types from "./types.js";
import { within } from "./waiting.js";
import { watchList } from "./watch-list.js";

export type TransportName = "websocket" | "sse" | "polling";

export interface ClientOptions {
  /**
   * URL of the server, or of its `/graphql`. In a page it can be relative. Each call throws a `TypeError` if it is
   * invalid.
   */
  readonly url: string;
  /**
   * Returns the user's token; null or undefined without one. Called for each request and each connection, which the
   * server closes when the token expires. `rejected` is true after the server has rejected the previous token: then
   * return a new one, not a cached one.
   */
  readonly token?: ((rejected: boolean) => string | null | undefined | Promise<string | null | undefined>) | undefined;
  /** What `watch` may use, in this order. Default: websocket, sse, polling. */
  readonly transports?: readonly TransportName[] | undefined;
  /** Disconnect in hidden tabs, and continue when the tab is visible again. Default: true. */
  readonly pauseWhenHidden?: boolean | undefined;
  readonly fetch?: typeof fetch | undefined;
  /** For runtimes without `WebSocket`, such as Node 20: that of the package `ws`. Without one, SSE is used. */
  readonly WebSocket?: unknown;
}

export interface CallOptions {
  /** Ends the call, which rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

export interface ListOptions extends CallOptions {
  /** At most so many renders. More than 100 are read in several requests. Default: 20. */
  readonly first?: number | undefined;
  /** `pageInfo.endCursor` of the previous page. */
  readonly after?: string | null | undefined;
  readonly filter?: types.RenderFilter | undefined;
}

export interface RenderPage {
  readonly renders: readonly types.Render[];
  readonly pageInfo: types.PageInfo;
}

export interface BatchInput {
  /** 1 to 100 renders. All are started, or none. */
  readonly renders: readonly StartInput[];
  /** The id of a batch to add to. Default: a new batch. */
  readonly batchId?: string | undefined;
  readonly idempotencyKey?: string | undefined;
}

export interface Batch {
  readonly batchId: string;
  /** In the order of the input. */
  readonly renders: readonly types.Render[];
  /** How many of them were started by an earlier call. */
  readonly duplicates: number;
  readonly quota: types.RenderQuota;
}

/**
 * Each method rejects with a `RendercastError`: one of the classes of this package for errors that a user can cause.
 * Requests are repeated for a minute while the server can't be reached; starts are executed only once.
 */
export interface Client {
  /** Start a render. Returns its first state. */
  start(input: StartInput, options?: CallOptions): Promise<types.Render>;
  /**
   * The states of a render, from the current one to the final one, each newer than the one before. Reconnects until
   * the final state was received. Throws `RenderNotFound`, also when the render is deleted.
   */
  watch(id: string, options?: CallOptions): AsyncIterableIterator<types.Render>;
  /** The newest renders, again after each change. Does not end. */
  watchList(options?: Omit<ListOptions, "after">): AsyncIterableIterator<readonly types.Render[]>;
  /** The progress of a batch, until all its renders have ended. */
  watchBatch(batchId: string, options?: CallOptions): AsyncIterableIterator<types.BatchProgress>;
  get(id: string, options?: CallOptions): Promise<types.Render>;
  /** Cancel a render. A RENDERING one is CANCELLED within about a second, or COMPLETE. */
  cancel(id: string, options?: CallOptions): Promise<types.Render>;
  /** Start a FAILED or CANCELLED render again. Returns the new render. */
  retry(id: string, options?: CallOptions): Promise<types.Render>;
  /** Delete a render that has ended, and its output. */
  delete(id: string, options?: CallOptions): Promise<void>;
  /** A page of renders, newest first. */
  list(options?: ListOptions): Promise<RenderPage>;
  /** Start several renders. */
  batch(input: BatchInput, options?: CallOptions): Promise<Batch>;
  getBatch(batchId: string, options?: CallOptions): Promise<types.BatchProgress>;
  /** Cancel the renders of a batch that have not ended. */
  cancelBatch(batchId: string, options?: CallOptions): Promise<types.BatchProgress>;
  quota(options?: CallOptions): Promise<types.RenderQuota>;
  compositions(options?: CallOptions): Promise<readonly types.Composition[]>;
  /** A new URL of a COMPLETE render's output, which is checked to be stored. */
  refreshDownloadUrl(id: string, options?: CallOptions): Promise<types.DownloadUrl>;
  /** The same render if its URLs are valid for another 5 minutes, otherwise with new ones. */
  fresh(render: types.Render, options?: CallOptions): Promise<types.Render>;
}

const TRANSPORTS = { websocket, sse, polling };
const ALL = Object.keys(TRANSPORTS) as TransportName[];
const MAX_PAGE = 100;
const VALIDITY_MS = 300_000; // the local clock may be a few minutes behind the server's

export function createClient(config: ClientOptions): Client {
  const { token, transports = ALL, pauseWhenHidden = true } = config;
  let isRejected = false;
  const context: Context = {
    get url() {
      return graphqlUrl(config.url); // not read in `createClient`: on a server that renders a page, a relative URL has no base
    },
    fetch: config.fetch ?? ((...args) => fetch(...args)),
    WebSocket: (config.WebSocket ?? globalThis.WebSocket) as typeof WebSocket, // undefined in Node 20
    open: new Set(),
    async credentials(signal): Promise<Record<string, string>> {
      const rejected = isRejected;
      isRejected = false;
      try {
        const value = await within(signal, Promise.resolve(token?.(rejected)));
        return value ? { Authorization: `Bearer ${value.trim()}` } : {};
      } catch (cause) {
        signal.throwIfAborted();
        if (cause instanceof RendercastError) throw cause;
        throw new ServerUnreachable("Your sign-in can't be checked. Please try again.", { cause });
      }
    },
    reject: () => void (isRejected = true),
  };
  const follow = createFollow(
    context,
    transports.map((name) => TRANSPORTS[name]),
    pauseWhenHidden,
  );

  const call = <T>(query: string, variables: object, options?: CallOptions, onRepeat?: () => void) =>
    request<T>(context, { query, variables }, options?.signal, onRepeat);

  const find = async <T>(kind: Kind, query: string, id: string, options?: CallOptions) =>
    (await call<T | null>(query, { id }, options)) ?? notFound(kind);

  /** `isDone` recognises an error that means that an earlier request, whose response was lost, was executed. */
  async function mutate<T>(
    query: string,
    variables: object,
    options?: CallOptions,
    isDone?: (error: RenderAlreadyFinished) => boolean,
  ): Promise<T> {
    let isRepeated = false;
    try {
      return unwrap<T>(await call<Result>(query, variables, options, () => (isRepeated = true)));
    } catch (error) {
      if (isRepeated && isDone?.(error as RenderAlreadyFinished)) return error as T;
      throw error;
    }
  }

  async function fresh(render: types.Render, options?: CallOptions): Promise<types.Render> {
    const expiresAt = render.outputUrlExpiresAt;
    if (!expiresAt || Date.parse(expiresAt) - VALIDITY_MS > Date.now()) return render;
    return (await client.refreshDownloadUrl(render.id, options)).render;
  }

  /** Iterate over the values of a subscription, or of the query `poll`. Skips those that are not newer. */
  const followNewer = <T extends object>(
    kind: Kind,
    query: string,
    poll: string,
    id: string,
    options?: CallOptions,
  ) =>
    iterate(options?.signal, async function* (signal) {
      const variables = { id };
      const operation = { payload: { query, variables }, poll: { query: poll, variables }, isLast };
      let last: T | undefined;
      try {
        for await (const value of follow(operation, signal) as AsyncGenerator<T>) {
          if (!last || isNewer(value, last)) yield (last = value);
        }
      } catch (error) {
        throw (error as RendercastError).code === "NOT_FOUND" ? notFound(kind) : error;
      }
    });

  const client: Client = {
    start: (input, options) =>
      renderOf(mutate(documents.START, { input: toStartInput(input, createIdempotencyKey()) }, options)),
    watch: (id, options) => followNewer<types.Render>("Render", documents.WATCH, documents.GET, id, options),
    watchBatch: (id, options) =>
      followNewer<types.BatchProgress>("Batch", documents.WATCH_BATCH, documents.GET_BATCH, id, options),
    watchList: (options = {}) =>
      iterate(options.signal, (outer) =>
        watchList(follow, async (signal) => (await client.list({ ...options, signal })).renders, outer),
      ),
    get: (id, options) => find("Render", documents.GET, id, options),
    getBatch: (id, options) => find("Batch", documents.GET_BATCH, id, options),
    cancel: (id, options) =>
      renderOf(mutate(documents.CANCEL, { id }, options, ({ render }) => render?.status === "CANCELLED")),
    retry: (id, options) => renderOf(mutate(documents.RETRY, { id }, options)),
    async delete(id, options) {
      await mutate(documents.DELETE, { id }, options, (error) => error instanceof RenderNotFound);
    },
    async list({ first = 20, after, filter, ...options } = {}) {
      const renders: types.Render[] = [];
      for (;;) {
        const variables = { first: Math.min(first - renders.length, MAX_PAGE), after, filter };
        const { edges, pageInfo } = await call<Connection>(documents.LIST, variables, options);
        renders.push(...edges.map(({ node }) => node));
        if (renders.length >= first || !pageInfo.hasNextPage) return { renders, pageInfo };
        after = pageInfo.endCursor;
      }
    },
    async batch({ renders, batchId = createIdempotencyKey(), idempotencyKey = createIdempotencyKey() }, options) {
      const input = { renders: renders.map((each) => toStartInput(each)), batchId, idempotencyKey };
      return { ...(await mutate<Batch>(documents.START_BATCH, { input }, options)), batchId };
    },
    async cancelBatch(id, options) {
      return (await mutate<{ progress: types.BatchProgress }>(documents.CANCEL_BATCH, { id }, options)).progress;
    },
    quota: (options) => call(documents.GET_QUOTA, {}, options),
    compositions: (options) => call(documents.COMPOSITIONS, {}, options),
    refreshDownloadUrl: (id, options) => mutate(documents.REFRESH, { id }, options),
    fresh,
  };
  return client;
}

type Kind = "Render" | "Batch";

interface Connection {
  readonly edges: readonly { readonly node: types.Render }[];
  readonly pageInfo: types.PageInfo;
}

/** Whether the render is COMPLETE, FAILED or CANCELLED. */
export const hasEnded = ({ status }: Pick<types.Render, "status">): boolean =>
  status !== "QUEUED" && status !== "RENDERING";

/** Renders have revisions; the progress of a batch has none. */
const isNewer = (value: { revision?: number }, last: { revision?: number }): boolean =>
  !(value.revision! <= last.revision!) && JSON.stringify(value) !== JSON.stringify(last);

/** Whether a render or a batch has ended. */
const isLast = (value: unknown): boolean => (value as types.BatchProgress).hasEnded ?? hasEnded(value as types.Render);

const renderOf = async (result: Promise<{ readonly render: types.Render }>) => (await result).render;

const notFound = (kind: Kind): never =>
  unwrap({ __typename: `${kind}NotFound`, message: `You have no ${kind.toLowerCase()} with this id.` });

function graphqlUrl(address: string): string {
  const url = new URL(address, globalThis.location?.href);
  if (!url.protocol.startsWith("http")) throw new TypeError("The URL must begin with http.");
  url.pathname = url.pathname.replace(/(\/graphql)?\/*$/, "/graphql");
  return url.href;
}
