// The studio's entry point: it creates the parts of the page and connects them to the API.

import { Api, ApiError } from "./api.js";
import { ConnectionStatus } from "./connection-status.js";
import { byId, create } from "./dom.js";
import * as format from "./format.js";
import { NewRender } from "./new-render/new-render.js";
import * as operations from "./operations.js";
import { Quota } from "./quota.js";
import { Actions } from "./renders/render-actions.js";
import { RenderList } from "./renders/render-list.js";
import { isUnfinished, RenderStore } from "./renders/render-store.js";
import { needsTitle, Titles } from "./renders/titles.js";

/**
 * @import {
 *   Composition, CompositionProps, ConnectionState, Render, RenderConnection, RenderLimits, RenderQuota, StartInput,
 * } from "../types.d.ts"
 */

const TICK_MS = 1_000;
const STALE_MS = 3_000; // an unfinished render is read again after this time without an update, for its queue position

const COMPOSITIONS_MS = 5_000; // between reads of the compositions while none is known

const pageError = byId("page-error", HTMLElement);
const heading = byId("renders-heading", HTMLElement);
const loadOlder = byId("load-older", HTMLButtonElement);

const store = new RenderStore(onChange);
const connectionStatus = new ConnectionStatus(
  () => api,
  () => {
    hasBeenRead = false;
    store.clear();
    titles.clear();
  },
);
const titles = new Titles(request);
const quota = new Quota(byId("quota", HTMLElement), readQuota);
const actions = new Actions({ request, store, quota, announce });
const newRender = new NewRender({ start, readProps, announce });
const list = new RenderList(byId("renders", HTMLElement), actions);
/** @type {ConnectionState} */
let state = "connecting";
/** @type {ReturnType<typeof setTimeout> | undefined} */
let compositionsTimer;
let hasBeenRead = false; // whether the list has been read since the user was signed in

const api = createApi();
if (api) {
  api.subscribe(operations.UPDATES, ({ renderChanges }) => onUpdate(renderChanges), showPageError);
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
  const url = new URL("graphql", document.baseURI).href;
  return new Api({ createClient: globalThis.graphqlWs.createClient, url, onState });
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
      /**
       * @type {{
       *   renders: RenderConnection, renderQuota: RenderQuota, renderLimits: RenderLimits, compositions: Composition[],
       * }}
       */
      const overview = await request(operations.OVERVIEW);
      quota.show(overview.renderQuota);
      newRender.setLimits(overview.renderLimits);
      showCompositions(overview.compositions);
      return overview.renders;
    });
    hasBeenRead = true;
    showPageError("");
  } catch (error) {
    showPageError(messageOf(error));
  }
  updateListFooter();
}

/**
 * Offer these compositions. If there are none, read them again: a worker discovers them after its first start.
 * @param {Composition[]} compositions
 */
function showCompositions(compositions) {
  newRender.setCompositions(compositions);
  clearTimeout(compositionsTimer);
  if (compositions.length === 0) compositionsTimer = setTimeout(readCompositions, COMPOSITIONS_MS);
}

async function readCompositions() {
  try {
    /** @type {{ compositions: Composition[] }} */
    const { compositions } = await request(operations.READ_COMPOSITIONS);
    showCompositions(compositions);
  } catch {
    // They are read again with the next connection.
  }
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
 * Return what the form of a composition needs. Throws `ApiError`.
 * @param {string} id
 * @returns {Promise<CompositionProps>}
 */
async function readProps(id) {
  /** @type {{ composition: CompositionProps | null }} */
  const { composition } = await request(operations.READ_COMPOSITION, { id });
  if (!composition) throw new ApiError("The server has no composition with this id any more.");
  return composition;
}

/**
 * Store the state of a render, or remove it. A new one is shown, and announced, once its title is known.
 * @param {{ render: Render | null, deletedRenderId: string | null }} change
 */
async function onUpdate({ render, deletedRenderId }) {
  if (deletedRenderId) store.remove(deletedRenderId);
  if (!render) return;
  if (store.has(render.id) || !needsTitle(render)) {
    store.merge(render);
    return;
  }
  const title = await titles.read(render);
  if (title !== undefined) store.merge({ ...render, title });
}

/** @param {Render} render */
async function showTitle(render) {
  const title = await titles.read(render);
  if (title !== undefined) store.setTitle(render.id, title);
}

/**
 * Start a render, and scroll to it where it would be out of view, as on a phone.
 * @param {StartInput} input
 */
async function start(input) {
  const result = await actions.start(input);
  if (result.render) list.reveal(result.render.id);
  if (result.error?.problems?.some(({ path }) => path === "/composition/id")) readCompositions(); // the site has changed
  return result.error;
}

/**
 * @param {Render | undefined} render
 * @param {Render | undefined} before
 */
function onChange(render, before) {
  if (render) {
    list.show(render, store);
    if (hasBeenRead) announceChange(render, before);
    if (needsTitle(render)) showTitle(render);
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

/** @param {unknown} error */
function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}
