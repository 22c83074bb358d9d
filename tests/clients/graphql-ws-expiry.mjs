// graphql-ws is disconnected when its token expires, and reconnects: `node graphql-ws-expiry.mjs URL TOKEN SECRET`.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { createClient } from "graphql-ws";
import WebSocket from "ws";
import * as job from "./job.mjs";
import { SHORT, UPDATES } from "./operations.mjs";

const LIFETIME_S = 4; // it has to last until the server has received it

/** Return a token like the given one that expires soon. */
function shortLived() {
  const [token, secret] = process.argv.slice(3);
  const [header, payload] = token.split(".");
  const claims = { ...JSON.parse(Buffer.from(payload, "base64url")), exp: Math.floor(Date.now() / 1000) + LIFETIME_S };
  const signed = `${header}.${Buffer.from(JSON.stringify(claims)).toString("base64url")}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

let isFirst = true;
let onStarted;
const id = new Promise((resolve) => (onStarted = resolve)); // of a render that is started after the reconnect
const closed = [];
const client = createClient({
  url: job.websocketUrl,
  webSocketImpl: WebSocket,
  connectionParams() {
    const credentials = isFirst ? { Authorization: `Bearer ${shortLived()}` } : job.credentials;
    isFirst = false;
    return credentials;
  },
  retryWait: () => setTimeout(100),
  on: {
    closed: ({ code, reason }) => closed.push([code, reason]),
    async connected(socket, payload, wasRetry) {
      if (wasRetry) onStarted(await job.start(SHORT));
    },
  },
});

for await (const { data, errors } of client.iterate({ query: UPDATES })) {
  assert.equal(errors, undefined);
  if (data.renderUpdates.status === "COMPLETE" && data.renderUpdates.id === (await id)) break;
}
assert.deepEqual(closed[0], [4403, "Your session has expired. Sign in again."]);
