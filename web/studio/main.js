// The studio's entry point: it creates the parts of the page and connects them to the API.

import { Api, ApiError } from "./api.js";
import { ConnectionStatus } from "./connection-status.js";
import { byId, create } from "./dom.js";
import { Form } from "./form.js";
import * as format from "./format.js";
import * as operations from "./operations.js";
import { Quota } from "./quota.js";
import { RenderList } from "./render-list.js";
import { isUnfinished, RenderStore } from "./render-store.js";

/**
 * @import {
 *   AnimationProps, ConnectionState, MutationError, MutationResult, Render, RenderConnection, RenderLimits, RenderQuota,
 * } from "../types.d.ts"
 */

const TICK_MS = 1_000;
const STALE_MS = 3_000; // an unfinished render is read again after this time without an update, for its queue position

const pageError = byId("page-error", HTMLElement);
const heading = byId("renders-heading", HTMLElement);
const loadOlder = byId("load-older", HTMLButtonElement);

const store = new RenderStore(onChange);
const connectionStatus = new ConnectionStatus(
  () => api,
  () => {
    hasBeenRead = false;
    store.clear();
  },
);
const quota = new Quota(byId("quota", HTMLElement), readQuota);
const form = new Form(start);
const list = new RenderList(byId("renders", HTMLElement), { cancel, retry, remove, refreshUrl, announce });
/** @type {ConnectionState} */
let state = "connecting";
let hasBeenRead = false; // whether the list has been read since the user was signed in

const api = createApi();
if (api) {
  api.subscribe(operations.UPDATES, ({ renderUpdates }) => store.merge(renderUpdates), showPageError);
  loadOlder.addEventListener("click", readOlder);
  setInterval(tick, TICK_MS);
}

function createApi() {
  if (!globalThis.graphqlWs) {
    connectionStatus.show("offline", {});
    byId("try-now", HTMLElement).hidden = true;
    showPageError("The library graphql-ws could not be loaded. Run `npm ci --prefix web` on the server or connect this device to the internet, then reload the page.");
    return undefined;
  }
  const url = new URL("graphql", document.baseURI);
  url.protocol = url.protocol.replace("http", "ws");
  return new Api({ createClient: globalThis.graphqlWs.createClient, url: url.href, onState });
}

/**
 * Send a query or mutation and return its data. Throws `ApiError`.
 * @template T
 * @param {string} query
 * @param {Record<string, unknown>} [variables]
 * @returns {Promise<T>}
 */
function request(query, variables) {
  if (!api) return Promise.reject(new ApiError("The page could not connect. Please reload it."));
  return api.request(query, variables);
}

/**
 * @param {ConnectionState} next
 * @param {string} [reason]
 */
function onState(next, reason) {
  state = next;
  connectionStatus.show(state, { reason, isSignedIn: api?.isSignedIn });
  if (state === "live") readAll();
}

/** @param {string} message Empty to hide it. */
function showPageError(message) {
  pageError.hidden = !message;
  pageError.textContent = message;
}

/** Read the current state, at the start and after a lost connection. */
async function readAll() {
  try {
    await store.readNewest(async () => {
      /** @type {{ renders: RenderConnection, renderQuota: RenderQuota, renderLimits: RenderLimits }} */
      const overview = await request(operations.OVERVIEW);
      quota.show(overview.renderQuota);
      form.setLimits(overview.renderLimits);
      return overview.renders;
    });
    hasBeenRead = true;
    showPageError("");
  } catch (error) {
    showPageError(messageOf(error));
  }
  updateListFooter();
}

async function readQuota() {
  try {
    /** @type {{ renderQuota: RenderQuota }} */
    const { renderQuota } = await request(operations.READ_QUOTA);
    quota.show(renderQuota);
  } catch {
    // The old quota stays on the page until the next read.
  }
}

async function readOlder() {
  const last = [...store].at(-1);
  try {
    await store.readOlder(async (after) => {
      /** @type {{ renders: RenderConnection }} */
      const { renders } = await request(operations.OLDER, { after });
      return renders;
    });
    const ids = [...store].map(({ id }) => id);
    list.focus(ids[ids.indexOf(last?.id ?? "") + 1] ?? "");
  } catch (error) {
    showPageError(messageOf(error));
  }
  updateListFooter();
}

/**
 * @param {Render | undefined} render
 * @param {Render | undefined} before
 */
function onChange(render, before) {
  if (render) {
    list.show(render, store);
    if (hasBeenRead) announceChange(render, before);
  } else if (before && !list.remove(before.id)) {
    heading.focus();
  }
  updateListFooter();
}

/**
 * Announce a change of status to screen readers, and read the quota if the change may affect it.
 * @param {Render} render
 * @param {Render | undefined} before
 */
function announceChange(render, before) {
  if (before?.status === render.status || (!before && !isUnfinished(render))) return;
  const name = format.name(render);
  if (!before) announce(`Started ${name}.`);
  else if (render.status === "COMPLETE") announce(`${name} is done.`);
  else if (render.status === "FAILED") announce(`${name} failed. ${render.error?.message ?? ""}`);
  else if (render.status === "CANCELLED") announce(`${name} was cancelled.`);
  if (!before || !isUnfinished(render)) readQuota();
}

/** @param {string} text */
function announce(text) {
  const line = create("p");
  line.textContent = text;
  byId("announcements", HTMLElement).replaceChildren(line);
}

function updateListFooter() {
  byId("empty", HTMLElement).hidden = store.size > 0 || !hasBeenRead;
  loadOlder.hidden = !store.hasOlder;
}

function tick() {
  list.tick();
  quota.tick();
  if (state === "live") for (const render of store.takeStale(STALE_MS)) readRender(render);
}

/** @param {Render} render */
async function readRender({ id }) {
  try {
    /** @type {{ render: Render | null }} */
    const { render } = await request(operations.READ_RENDER, { id });
    if (render) store.merge(render);
    else store.remove(id);
  } catch {
    // It is read again after STALE_MS.
  }
}

// The actions of the buttons. Each throws an error whose message is a sentence for the user.

/** @param {AnimationProps} animationProps */
async function start(animationProps) {
  const idempotencyKey = crypto.getRandomValues(new Uint32Array(4)).join("-"); // randomUUID needs HTTPS
  /** @type {{ startRender: MutationResult }} */
  const { startRender } = await request(operations.START, { input: { animationProps, idempotencyKey } });
  return applyResult(startRender);
}

/** @param {Render} render */
async function retry({ id }) {
  /** @type {{ retryRender: MutationResult }} */
  const { retryRender } = await request(operations.RETRY, { id });
  const error = applyResult(retryRender);
  if (error) throw new ApiError(error.message);
  if (retryRender.duplicate) throw new ApiError("This render has already been retried; see the list.");
}

/** @param {Render} render */
async function cancel({ id }) {
  /** @type {{ cancelRender: MutationResult }} */
  const { cancelRender } = await request(operations.CANCEL, { id });
  if (cancelRender.__typename === "RenderNotFound") store.remove(id);
  const error = applyResult(cancelRender);
  if (error) throw new ApiError(error.message);
}

/** @param {Render} render */
async function remove(render) {
  if (!(await confirmDeletion(render))) return;
  /** @type {{ deleteRender: MutationResult }} */
  const { deleteRender } = await request(operations.DELETE, { id: render.id });
  const error = applyResult(deleteRender);
  if (error && deleteRender.__typename !== "RenderNotFound") throw new ApiError(error.message);
  store.remove(render.id);
  announce(`Deleted ${format.name(render)}.`);
}

/** @param {Render} render */
async function refreshUrl({ id }) {
  /** @type {{ refreshDownloadUrl: MutationResult }} */
  const { refreshDownloadUrl } = await request(operations.REFRESH_URL, { id });
  const error = applyResult(refreshDownloadUrl);
  if (error) throw new ApiError(error.message);
}

/**
 * Store the render and the quota of a mutation's result. Return the result if it is an error.
 * @param {MutationResult} result
 * @returns {MutationError | undefined}
 */
function applyResult(result) {
  if (result.render) store.merge(result.render);
  if (result.quota) quota.show(result.quota);
  const { message } = result;
  return message === undefined ? undefined : { ...result, message };
}

/**
 * Ask the user whether to delete a render.
 * @param {Render} render
 * @returns {Promise<boolean>}
 */
function confirmDeletion(render) {
  const dialog = byId("confirm", HTMLDialogElement);
  byId("confirm-text", HTMLElement).textContent = `${format.name(render)} and its video will be permanently deleted.`;
  dialog.returnValue = "keep";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "delete"), { once: true });
  });
}

/** @param {unknown} error */
function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}
