// What every urql client must be able to do: HTTP for queries and mutations, and any exchanges for subscriptions.

import assert from "node:assert/strict";
import { cacheExchange, Client, fetchExchange } from "@urql/core";
import { pipe, toAsyncIterable } from "wonka";
import * as job from "./job.mjs";
import { CANCEL, INPUT, LIST, PROGRESS, START } from "./operations.mjs";

/** Return the data of a result. Fails if it has an error. */
function dataOf({ data, error }) {
  assert.equal(error, undefined);
  return data;
}

/** Return all results of a subscription. At its end urql repeats the last one, without `hasNext`. */
async function watch(client, id) {
  const results = [];
  for await (const result of pipe(client.subscription(PROGRESS, { id }), toAsyncIterable)) {
    job.seen(result.data?.renderProgress);
    if (result.hasNext) results.push(result);
  }
  return results;
}

/** Start a render, watch it, and fetch its video. `options` are for the client; its exchanges come after the usual. */
export async function checkUrql({ exchanges = [], ...options }) {
  const client = new Client({
    url: job.url,
    fetchOptions: { headers: job.credentials },
    exchanges: [cacheExchange, fetchExchange, ...exchanges],
    ...options,
  });

  const id = job.startedId(dataOf(await client.mutation(START, { input: INPUT })));
  const before = dataOf(await client.query(LIST));
  assert.equal(before.renders.edges[0].node.id, id);

  const states = (await watch(client, id)).map((result) => dataOf(result).renderProgress);
  job.checkStates(states, id);

  const after = dataOf(await client.query(LIST, {}, { requestPolicy: "network-only" }));
  await job.checkVideo(job.checkList(after, states.at(-1)).outputUrl);

  job.checkUnknown(dataOf(await client.mutation(CANCEL, { id: job.UNKNOWN_ID })));
  const [rejected] = await watch(client, job.UNKNOWN_ID);
  job.checkNotFound(rejected.error.graphQLErrors);
}
