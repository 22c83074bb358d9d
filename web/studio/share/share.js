// The page of one render: it follows an unfinished render, and loads the page again when its content is out of date.
//
// The server makes the content of a finished render, so the page works without this script.

import { byId, setText } from "../dom.js";
import { EventClient } from "../event-client.js";
import { LivePreview } from "../renders/live-preview.js";

/** @import { Render } from "../../types.d.ts" */

/** @typedef {Pick<Render, "status" | "progress" | "framesRendered" | "totalFrames" | "previewUrl">} Progress */

const PROGRESS = `subscription Progress($id: ID!) {
  renderProgress(renderId: $id) { status progress framesRendered totalFrames previewUrl }
}`;
const UNFINISHED = new Set(["QUEUED", "RENDERING"]);
const MIN_BACKOFF_MS = 1_000;
const MAX_BACKOFF_MS = 30_000;
const RELOAD_MS = 10_000; // after progress that can't be read
const MIN_VALID_S = 60; // between two loads of the page for new URLs
const MAX_VALID_S = 86_400; // a timer takes at most 2^31 ms

const token = new URLSearchParams(location.search).get("token") ?? "";
const content = byId("render", HTMLElement);
const { id, validFor } = content.dataset;

if (id) follow(id);
if (validFor) setTimeout(reloadWhenIdle, Math.min(Math.max(Number(validFor), MIN_VALID_S), MAX_VALID_S) * 1000);

/** @param {string} renderId */
function follow(renderId) {
  const bar = byId("progress", HTMLProgressElement);
  const box = byId("newest-frame", HTMLElement);
  const { title } = document;
  const live = new LivePreview((image) => {
    box.hidden = false;
    box.append(image);
  });
  const client = new EventClient({
    url: new URL("../graphql", document.baseURI).href,
    headers: () => ({ Authorization: `Bearer ${token}` }),
    pause,
    onConnected: () => {},
    onClosed: (isRejected) => {
      if (isRejected) reloadLater(); // the link has expired
    },
  });
  client.subscribe({ query: PROGRESS, variables: { id: renderId } }, {
    next: ({ data, errors }) => {
      /** @type {Progress | undefined} */
      const render = data?.renderProgress;
      if (errors || !render) return;
      if (!UNFINISHED.has(render.status)) return location.reload();
      content.dataset.status = render.status;
      bar.value = render.progress;
      setText(byId("state", HTMLElement), stateOf(render));
      document.title = `${render.progress}% · ${title}`;
      if (render.previewUrl) void live.show(render.previewUrl, "Newest frame");
    },
    error: reloadLater,
    complete: reloadLater, // the render was deleted, or has ended
  });
}

/** @param {Progress} render */
function stateOf({ status, progress, framesRendered, totalFrames }) {
  if (status === "QUEUED") return "Waiting to be rendered";
  return totalFrames ? `${progress}% · ${framesRendered} of ${totalFrames} frames` : `${progress}%`;
}

function reloadLater() {
  setTimeout(() => location.reload(), RELOAD_MS * (0.5 + Math.random()));
}

/** Load the page again, for URLs that have not expired; after the playback if the user has started one. */
function reloadWhenIdle() {
  const player = /** @type {HTMLMediaElement | null} */ (document.querySelector("video, audio"));
  if (player && !player.paused) player.addEventListener("pause", () => location.reload(), { once: true });
  else location.reload();
}

/**
 * Wait with exponential backoff and jitter.
 * @param {number} failures
 * @returns {Promise<void>}
 */
function pause(failures) {
  const wait = Math.min(MAX_BACKOFF_MS, MIN_BACKOFF_MS * 2 ** failures) * (0.5 + Math.random() / 2);
  return new Promise((resolve) => {
    setTimeout(resolve, wait);
  });
}
