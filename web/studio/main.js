// The studio: puts the parts together. Each of the other files is one of them.

import { Api, ApiError } from "./api.js";
import { Connection } from "./connection.js";
import { Form } from "./form.js";
import { List } from "./list.js";
import * as operations from "./operations.js";
import { Quota } from "./quota.js";
import { isUnfinished, Renders } from "./renders.js";
import * as words from "./words.js";

const TICK_MS = 1_000;
const SILENCE_MS = 3_000; // after which an unfinished render is asked for: its place in the queue, or what was missed

const $ = (selector) => document.querySelector(selector);
const tell = (element, text) => {
  element.hidden = !text;
  element.textContent = text;
};

const renders = new Renders(onChange);
const connection = new Connection(
  () => api,
  () => {
    hasBeenRead = false;
    renders.clear();
  },
);
const quota = new Quota($("#quota"), readQuota);
const form = new Form($("#make"), start);
const list = new List($("#renders"), { cancel, retry, remove, refreshUrl, announce });
let state = "connecting";
let hasBeenRead = false; // the list is what the server has

const api = openApi();
if (api) {
  api.watch(
    operations.UPDATES,
    ({ renderUpdates }) => renders.merge(renderUpdates),
    (problem) => tell($("#trouble"), problem),
  );
  $("#more").addEventListener("click", showOlder);
  setInterval(tick, TICK_MS);
}

function openApi() {
  if (!globalThis.graphqlWs) {
    connection.show("offline", {});
    $("#try-now").hidden = true;
    tell($("#trouble"), "A part of this page, graphql-ws, could not be loaded. Run `npm ci --prefix web` on the server, or connect this machine to the internet; then load the page again.");
    return undefined;
  }
  const url = new URL("graphql", document.baseURI);
  url.protocol = url.protocol.replace("http", "ws");
  return new Api({ createClient: graphqlWs.createClient, url: url.href, onState });
}

function onState(next, reason) {
  state = next;
  connection.show(state, { reason, isSignedIn: api.isSignedIn });
  if (state === "live") readAll();
}

/** Read the present state, for the first time or after the connection was lost. */
async function readAll() {
  try {
    await renders.readNewest(async () => {
      const overview = await api.ask(operations.OVERVIEW);
      quota.show(overview.renderQuota);
      form.limit(overview.renderLimits);
      return overview.renders;
    });
    hasBeenRead = true;
    tell($("#trouble"), "");
  } catch (problem) {
    tell($("#trouble"), problem.message);
  }
  showRest();
}

async function readQuota() {
  try {
    quota.show((await api.ask(operations.READ_QUOTA)).renderQuota);
  } catch {
    // it stays as it is until the next time
  }
}

async function showOlder() {
  const last = [...renders].at(-1);
  try {
    await renders.readOlder(async (after) => (await api.ask(operations.OLDER, { after })).renders);
    const ids = [...renders].map(({ id }) => id);
    list.focus(ids[ids.indexOf(last?.id) + 1]);
  } catch (problem) {
    tell($("#trouble"), problem.message);
  }
  showRest();
}

function onChange(render, before) {
  if (!render) {
    if (!list.remove(before.id)) $("#renders-heading").focus();
  } else {
    list.show(render, renders);
    if (hasBeenRead) say(render, before);
  }
  showRest();
}

/** Tell those who don't see the page what happens, and count again what is left. */
function say(render, before) {
  if (before?.status === render.status || (!before && !isUnfinished(render))) return;
  const name = words.name(render);
  if (!before) announce(`Started ${name}.`);
  else if (render.status === "COMPLETE") announce(`${name} is done.`);
  else if (render.status === "FAILED") announce(`${name} failed. ${render.error?.message ?? ""}`);
  else if (render.status === "CANCELLED") announce(`${name} was cancelled.`);
  if (!before || !isUnfinished(render)) readQuota();
}

function announce(text) {
  const line = document.createElement("p");
  line.textContent = text;
  $("#announcements").replaceChildren(line);
}

function showRest() {
  $("#empty").hidden = renders.size > 0 || !hasBeenRead;
  $("#more").hidden = !renders.hasOlder;
}

function tick() {
  list.tick();
  quota.tick();
  if (state === "live") for (const render of renders.takeSilent(SILENCE_MS)) look(render);
}

async function look({ id }) {
  try {
    const { render } = await api.ask(operations.LOOK, { id });
    if (render) renders.merge(render);
    else renders.remove(id);
  } catch {
    // asked again in a moment
  }
}

/** What the buttons do. Each throws what the person should know, as a sentence. */

async function start(animationProps) {
  const idempotencyKey = crypto.getRandomValues(new Uint32Array(4)).join("-"); // randomUUID is for HTTPS only
  const { startRender } = await api.ask(operations.START, { input: { animationProps, idempotencyKey } });
  return take(startRender);
}

async function retry({ id }) {
  const { retryRender } = await api.ask(operations.RETRY, { id });
  const refusal = take(retryRender);
  if (refusal) throw new ApiError(refusal.message);
  if (retryRender.duplicate) throw new ApiError("This one has been tried again already; see the list.");
}

async function cancel({ id }) {
  const { cancelRender } = await api.ask(operations.CANCEL, { id });
  if (cancelRender.__typename === "RenderNotFound") renders.remove(id);
  const refusal = take(cancelRender);
  if (refusal) throw new ApiError(refusal.message);
}

async function remove(render) {
  if (!(await isSure(render))) return;
  const { deleteRender } = await api.ask(operations.DELETE, { id: render.id });
  const refusal = take(deleteRender);
  if (refusal && deleteRender.__typename !== "RenderNotFound") throw new ApiError(refusal.message);
  renders.remove(render.id);
  announce(`Deleted ${words.name(render)}.`);
}

async function refreshUrl({ id }) {
  const { refreshDownloadUrl } = await api.ask(operations.REFRESH_URL, { id });
  const refusal = take(refreshDownloadUrl);
  if (refusal) throw new ApiError(refusal.message);
}

/** Take over what an answer tells of a render and of the quota. Returns the answer if it is a refusal. */
function take(answer) {
  if (answer.render) renders.merge(answer.render);
  if (answer.quota) quota.show(answer.quota);
  return answer.message === undefined ? undefined : answer;
}

function isSure(render) {
  const dialog = $("#confirm");
  $("#confirm-text").textContent = `${words.name(render)} and its video, if it has one, will be gone for good.`;
  dialog.returnValue = "keep";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "delete"), { once: true });
  });
}
