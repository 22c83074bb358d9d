// graphql-sse for all operations, one connection each.

import assert from "node:assert/strict";
import { createClient } from "graphql-sse";
import * as job from "./job.mjs";
import { CANCEL, INPUT, LIST, PROGRESS, START } from "./operations.mjs";

const client = createClient({ url: job.url, headers: job.credentials });

/** Return the data of all results. Fails if one has an error. */
async function results(query, variables) {
  const found = [];
  for await (const { data, errors } of client.iterate({ query, variables })) {
    assert.equal(errors, undefined);
    job.seen(data.renderProgress);
    found.push(data);
  }
  return found;
}

const [started] = await results(START, { input: INPUT });
const id = job.startedId(started);
const states = (await results(PROGRESS, { id })).map((data) => data.renderProgress);
job.checkStates(states, id);

const [list] = await results(LIST);
await job.checkVideo(job.checkList(list, states.at(-1)).outputUrl);

const [cancelled] = await results(CANCEL, { id: job.UNKNOWN_ID });
job.checkUnknown(cancelled);
const failed = [];
for await (const result of client.iterate({ query: PROGRESS, variables: { id: job.UNKNOWN_ID } })) failed.push(result);
assert.equal(failed.length, 1);
job.checkNotFound(failed[0].errors);
