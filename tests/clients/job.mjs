// Where the server is, who asks, and what must be true of its answers: `node CLIENT.mjs URL [TOKEN]`.

import assert from "node:assert/strict";
import { START } from "./operations.mjs";

const [site, token] = process.argv.slice(2);

export const url = `${site}/graphql`;
export const websocketUrl = url.replace("http", "ws");
export const credentials = token ? { Authorization: `Bearer ${token}` } : {};
export const UNKNOWN_ID = "01m817gzatj1v633w9kvyqtevh";

/** Return the id of the render that `startRender` has started. */
export function startedId({ startRender }) {
  assert.equal(startRender.__typename, "StartRenderSuccess", JSON.stringify(startRender));
  assert.equal(startRender.render.status, "QUEUED");
  return startRender.render.id;
}

/** Start a render without any client, and return its id. */
export async function start(input) {
  const answer = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...credentials },
    body: JSON.stringify({ query: START, variables: { input } }),
  });
  return startedId((await answer.json()).data);
}

/** Require what `renderProgress` promises, of all it told until it completed. */
export function checkStates(states, id) {
  assert(states.every((state) => state.id === id && state.error === null));
  assertRising(states.map((state) => state.revision));
  assert(states.some(({ progress }) => 0 < progress && progress < 100), JSON.stringify(states));
  assert.deepEqual([states.at(-1).status, states.at(-1).progress], ["COMPLETE", 100]);
}

/** Require that each number is greater than the one before it. */
export function assertRising(numbers) {
  assert(numbers.every((number, place) => place === 0 || numbers[place - 1] < number), String(numbers));
}

/** Require that the newest render of the list is this one as it was told last; its URL is signed anew. */
export function checkList({ renders }, { id, revision }) {
  const newest = renders.edges[0].node;
  assert.deepEqual([newest.id, newest.revision, newest.status], [id, revision, "COMPLETE"]);
  return newest;
}

/** Require that the URL serves an MP4. */
export async function checkVideo(outputUrl) {
  const answer = await fetch(outputUrl);
  assert.deepEqual([answer.status, answer.headers.get("content-type")], [200, "video/mp4"]);
  assert.equal(Buffer.from(await answer.arrayBuffer()).toString("latin1", 4, 8), "ftyp");
}

/** Require that a result is the one of an id that nobody has. */
export function checkUnknown({ cancelRender }) {
  assert.equal(cancelRender.__typename, "RenderNotFound");
  assert(cancelRender.message);
}

/** Require that the errors of an operation are the one of an id that nobody has. */
export function checkNotFound(errors) {
  assert.deepEqual(errors.map((error) => error.extensions.code), ["NOT_FOUND"]);
}
