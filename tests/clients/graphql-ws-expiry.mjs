// graphql-ws is disconnected when its token expires, and reconnects: `node graphql-ws-expiry.mjs URL VALID SHORT_LIVED`.

import assert from "node:assert/strict";
import { setTimeout } from "node:timers/promises";
import { createClient } from "graphql-ws";
import WebSocket from "ws";
import * as job from "./job.mjs";
import { SHORT, UPDATES } from "./operations.mjs";

const tokens = [process.argv[4]];
const closed = [];
let id;
const client = createClient({
  url: job.websocketUrl,
  webSocketImpl: WebSocket,
  connectionParams() {
    const token = tokens.pop();
    return token ? { Authorization: `Bearer ${token}` } : job.credentials;
  },
  retryWait: () => setTimeout(100),
  on: {
    closed: ({ code, reason }) => closed.push([code, reason]),
    async connected(socket, payload, wasRetry) {
      if (wasRetry) id = await job.start(SHORT);
    },
  },
});

for await (const { data, errors } of client.iterate({ query: UPDATES })) {
  assert.equal(errors, undefined);
  if (data.renderUpdates.id === id && data.renderUpdates.status === "COMPLETE") break;
}
assert.deepEqual(closed[0], [4403, "Your session has expired. Sign in again."]);
