// urql's core: HTTP for queries and mutations, graphql-ws for subscriptions.

import assert from "node:assert/strict";
import { cacheExchange, Client, fetchExchange, subscriptionExchange } from "@urql/core";
import { createClient } from "graphql-ws";
import { pipe, toAsyncIterable } from "wonka";
import WebSocket from "ws";
import * as job from "./job.mjs";
import { CANCEL, INPUT, LIST, PROGRESS, START } from "./operations.mjs";

const websocket = createClient({
  url: job.websocketUrl,
  connectionParams: job.credentials,
  webSocketImpl: WebSocket,
});
const client = new Client({
  url: job.url,
  fetchOptions: { headers: job.credentials },
  exchanges: [
    cacheExchange,
    fetchExchange,
    subscriptionExchange({
      forwardSubscription: ({ query, variables }) => ({
        subscribe: (sink) => ({ unsubscribe: websocket.subscribe({ query, variables }, sink) }),
      }),
    }),
  ],
});

/** Return the data of a result. Fails if it has an error. */
function dataOf({ data, error }) {
  assert.equal(error, undefined);
  return data;
}

/** Return all results of a subscription. At its end urql repeats the last one, without `hasNext`. */
async function watch(id) {
  const results = [];
  for await (const result of pipe(client.subscription(PROGRESS, { id }), toAsyncIterable)) {
    if (result.hasNext) results.push(result);
  }
  return results;
}

const id = job.startedId(dataOf(await client.mutation(START, { input: INPUT })));
const before = dataOf(await client.query(LIST));
assert.equal(before.renders.edges[0].node.id, id);

const states = (await watch(id)).map((result) => dataOf(result).renderProgress);
job.checkStates(states, id);

const after = dataOf(await client.query(LIST, {}, { requestPolicy: "network-only" }));
await job.checkVideo(job.checkList(after, states.at(-1)).outputUrl);

job.checkUnknown(dataOf(await client.mutation(CANCEL, { id: job.UNKNOWN_ID })));
const [refused] = await watch(job.UNKNOWN_ID);
job.checkNotFound(refused.error.graphQLErrors);
