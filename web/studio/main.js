// The studio's entry point: it creates the parts of the page and connects them to the API.

import { Api, ApiError } from "./api.js";
import { ConnectionStatus } from "./connection-status.js";
import { byId, create } from "./dom.js";
import * as format from "./format.js";
import { FormRequests } from "./new-render/form-requests.js";
import { NewRender } from "./new-render/new-render.js";
import * as operations from "./operations.js";
import { Quota } from "./quota.js";
import { Actions } from "./renders/render-actions.js";
import { isUnfinished, RenderStore } from "./renders/render-store.js";
import { RendersPanel } from "./renders/renders-panel.js";
import { needsTitle, Titles } from "./renders/titles.js";

/**
 * @import {
 *   BatchProgress, Composition, ConnectionState, FontFamily, Render, RenderConnection, RenderLimits, RenderQuota, StartInput,
 * } from "../types.d.ts"
 */

const TICK_MS = 1_000;
const STALE_MS = 3_000; // an unfinished render is read again after this time without an update, for its queue position

const COMPOSITIONS_MS = 5_000; // between reads of the compositions while none is known

const pageError = byId("page-error", HTMLElement);
const heading = byId("renders-heading", HTMLElement);

const store = new RenderStore(onChange);
const connectionStatus = new ConnectionStatus(
  () => api,
  () => {
    panel.clear();
    titles.clear();
    quota.clear();
  },
);
const titles = new Titles(request);
const requests = new FormRequests(request);
const newRender = new NewRender({ start, requests, announce, onWaiting: () => announce(quota.sentence) });
const quota = new Quota(byId("quota", HTMLElement), {
  onReset: readQuota,
  onWait: (seconds) => (newRender.wait = seconds),
});
const actions = new Actions({ request, store, quota, announce, readTitle, useSettings: (settings) => newRender.use(settings) });
const panel = new RendersPanel({ store, actions, request, onError: showPageError });
const { list } = panel;
/** @type {ConnectionState} */
let state = "connecting";
/** @type {ReturnType<typeof setTimeout> | undefined} */
let compositionsTimer;

const api = createApi();
if (api) {
  api.subscribe(operations.UPDATES, ({ renderChanges }) => onUpdate(renderChanges), showPageError);
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
  list.markBatchesStale();
  try {
    await panel.readNewest(async () => {
      /**
       * @type {{
       *   renders: RenderConnection, renderQuota: RenderQuota, renderLimits: RenderLimits, compositions: Composition[],
       * }}
       */
      const overview = await request(operations.OVERVIEW);
      quota.show(overview.renderQuota);
      newRender.setLimits(overview.renderLimits);
      showCompositions(overview.compositions);
      readFonts();
      return overview.renders;
    });
    showPageError("");
  } catch (error) {
    showPageError(messageOf(error));
  }
}

/** Offer the server's fonts. If they can't be read, the field for the font still takes any name. */
async function readFonts() {
  try {
    /** @type {{ fonts: FontFamily[] }} */
    const { fonts } = await request(operations.READ_FONTS);
    newRender.setFonts(fonts);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
  }
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

/**
 * Store the state of a render, or remove it. A new one is shown, and announced, once its title is known.
 * @param {{ render: Render | null, deletedRenderId: string | null }} change
 */
async function onUpdate({ render, deletedRenderId }) {
  if (deletedRenderId) store.remove(deletedRenderId);
  if (!render) return;
  if (store.has(render.id) || render.batchId || !needsTitle(render)) {
    store.merge(render);
    return;
  }
  const title = await titles.read(render);
  if (title !== undefined) store.merge({ ...render, title });
}

/** @param {Render} render */
async function readTitle(render) {
  if (!needsTitle(render)) return;
  const title = await titles.read(render);
  if (title !== undefined) store.setTitle(render.id, title);
}

/**
 * Start a render, and scroll to it where it would be out of view, as on a phone.
 * @param {StartInput} input
 */
async function start(input) {
  const result = await actions.start(input);
  if (result.render) panel.reveal(result.render.id);
  if (result.error?.__typename === "RenderQuotaExceeded") {
    announce(quota.sentence); // it is shown beside the button
    return undefined;
  }
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
    if (panel.hasBeenRead) announceChange(render, before);
    if (!render.batchId) readTitle(render); // those of a batch are read when its card is open
  } else if (before && !list.remove(before.id)) {
    heading.focus();
  }
  panel.update();
}

/**
 * Announce a change of status to screen readers, and read the quota if the change may affect it.
 * @param {Render} render
 * @param {Render | undefined} before
 */
function announceChange(render, before) {
  const [newest] = store;
  const isStarted = !before && isUnfinished(render) && newest?.id === render.id; // others are older ones that are read later
  if (render.batchId || before?.status === render.status || (!before && !isStarted)) return;
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

function tick() {
  list.tick();
  quota.tick();
  if (state !== "live") return;
  for (const render of store.takeStale(STALE_MS)) readRender(render);
  for (const batchId of list.takeStaleBatches()) readBatch(batchId);
}

/** @param {string} id */
async function readBatch(id) {
  try {
    /** @type {{ batchProgress: BatchProgress | null }} */
    const { batchProgress } = await request(operations.READ_BATCH, { id });
    if (batchProgress) list.showBatch(id, batchProgress);
    if (batchProgress?.hasEnded) readQuota();
  } catch {
    list.markBatchesStale();
  }
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
