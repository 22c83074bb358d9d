// graphql-ws only: queries and mutations use its WebSocket too.

import assert from "node:assert/strict";
import { createClient } from "graphql-ws";
import WebSocket from "ws";
import * as job from "./job.mjs";
import { CANCEL, INPUT, LIST, PROGRESS, START } from "./operations.mjs";

const client = createClient({
  url: job.websocketUrl,
  connectionParams: job.credentials,
  webSocketImpl: WebSocket,
  retryAttempts: 0,
});

/** Return all results of an operation. */
async function all(query, variables) {
  const results = [];
  for await (const result of client.iterate({ query, variables })) {
    job.seen(result.data?.renderProgress);
    results.push(result);
  }
  return results;
}

/** Return the data of each result. Fails if one has errors. */
async function request(query, variables) {
  const results = await all(query, variables);
  assert(results.every(({ errors }) => errors === undefined), JSON.stringify(results));
  return results.map(({ data }) => data);
}

const [started] = await request(START, { input: INPUT });
const id = job.startedId(started);
const states = (await request(PROGRESS, { id })).map((data) => data.renderProgress);
job.checkStates(states, id);
const [list] = await request(LIST);
await job.checkVideo(job.checkList(list, states.at(-1)).outputUrl);

const [cancelled] = await request(CANCEL, { id: job.UNKNOWN_ID });
job.checkUnknown(cancelled);
const [rejected] = await all(PROGRESS, { id: job.UNKNOWN_ID });
job.checkNotFound(rejected.errors);
