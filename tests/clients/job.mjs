// The server's URLs, the credentials, and assertions about responses. Usage: `node CLIENT.mjs URL [TOKEN]`.

import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { START } from "./operations.mjs";

const [site, token] = process.argv.slice(2);
const { SLOW_WHILE_EXISTS: slow } = process.env; // the file of tests/support/slow_renderers

export const url = `${site}/graphql`;
export const websocketUrl = url.replace("http", "ws");
export const credentials = token ? { Authorization: `Bearer ${token}` } : {};
export const UNKNOWN_ID = "01m817gzatj1v633w9kvyqtevh";

/** Return the id of the started render. */
export function startedId({ startRender }) {
  assert.equal(startRender.__typename, "StartRenderSuccess", JSON.stringify(startRender));
  assert.equal(startRender.render.status, "QUEUED");
  return startRender.render.id;
}

/** Start a render without a client library, and return its id. */
export async function start(input) {
  const response = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...credentials },
    body: JSON.stringify({ query: START, variables: { input } }),
  });
  return startedId((await response.json()).data);
}

/** Return a state that was received. When it shows progress, the renderers run at full speed from now on. */
export function seen(state) {
  if (slow && 0 < state?.progress && state.progress < 100) rmSync(slow, { force: true });
  return state;
}

/** Assert the guarantees of `renderProgress` for all states of a completed stream. */
export function checkStates(states, id) {
  assert(states.every((state) => state.id === id && state.error === null));
  assertIncreasing(states.map((state) => state.revision));
  assert(states.some(({ progress }) => 0 < progress && progress < 100), JSON.stringify(states));
  assert.deepEqual([states.at(-1).status, states.at(-1).progress], ["COMPLETE", 100]);
}

/** Assert that each number is greater than the previous one. */
export function assertIncreasing(numbers) {
  assert(numbers.every((number, index) => index === 0 || numbers[index - 1] < number), String(numbers));
}

/** Assert that the newest render of the list is the last state of the stream. The URL differs: each is newly signed. */
export function checkList({ renders }, { id, revision }) {
  const newest = renders.edges[0].node;
  assert.deepEqual([newest.id, newest.revision, newest.status], [id, revision, "COMPLETE"]);
  return newest;
}

/** Assert that the URL serves an MP4. */
export async function checkVideo(outputUrl) {
  const response = await fetch(outputUrl);
  assert.deepEqual([response.status, response.headers.get("content-type")], [200, "video/mp4"]);
  assert.equal(Buffer.from(await response.arrayBuffer()).toString("latin1", 4, 8), "ftyp");
}

/** Assert that a result is the one for an unknown id. */
export function checkUnknown({ cancelRender }) {
  assert.equal(cancelRender.__typename, "RenderNotFound");
  assert(cancelRender.message);
}

/** Assert that an operation's errors are the one for an unknown id. */
export function checkNotFound(errors) {
  assert.deepEqual(errors.map((error) => error.extensions.code), ["NOT_FOUND"]);
}
