// graphql-ws watches a render while the server is killed and restarted. Prints "under way" when the test may kill it.

import assert from "node:assert/strict";
import { setTimeout } from "node:timers/promises";
import { createClient } from "graphql-ws";
import WebSocket from "ws";
import * as job from "./job.mjs";
import { INPUT, PROGRESS } from "./operations.mjs";

const received = []; // the states that each connection has received
const client = createClient({
  url: job.websocketUrl,
  webSocketImpl: WebSocket,
  shouldRetry: () => true, // by default it stops when the connection is refused, as while the server restarts
  retryAttempts: Infinity,
  retryWait: () => setTimeout(100),
  on: { connected: () => received.push([]) },
});

const id = await job.start(INPUT);
for await (const { data, errors } of client.iterate({ query: PROGRESS, variables: { id } })) {
  assert.equal(errors, undefined);
  received.at(-1).push(data.renderProgress);
  if (received.length > 1) job.seen(data.renderProgress);
  else if (data.renderProgress.progress > 0) console.log("under way");
}

assert.equal(received.length, 2, "the server was killed once");
const [before, after] = received;
job.assertIncreasing(before.map(({ revision }) => revision));
assert(before.at(-1).revision <= after[0].revision);
job.checkStates(after, id);
