// graphql-ws watches a render to its end while the server is killed and started again. Says when it may be killed.

import assert from "node:assert/strict";
import { setTimeout } from "node:timers/promises";
import { createClient } from "graphql-ws";
import WebSocket from "ws";
import * as job from "./job.mjs";
import { LONG, PROGRESS } from "./operations.mjs";

const told = []; // the states that each connection told
const client = createClient({
  url: job.websocketUrl,
  webSocketImpl: WebSocket,
  shouldRetry: () => true, // else it gives up where nobody listens, which is so while the server starts
  retryAttempts: Infinity,
  retryWait: () => setTimeout(100),
  on: { connected: () => told.push([]) },
});

const id = await job.start(LONG);
for await (const { data, errors } of client.iterate({ query: PROGRESS, variables: { id } })) {
  assert.equal(errors, undefined);
  told.at(-1).push(data.renderProgress);
  if (told.length === 1 && data.renderProgress.progress > 0) console.log("under way");
}

assert.equal(told.length, 2, "the server was killed once");
const [before, after] = told;
job.assertRising(before.map(({ revision }) => revision));
assert(before.at(-1).revision <= after[0].revision);
job.checkStates(after, id);
