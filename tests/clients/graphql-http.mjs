// All audits of GraphQL over HTTP: MUST, SHOULD and MAY.

import assert from "node:assert/strict";
import { auditServer } from "graphql-http";
import { url } from "./job.mjs";

const results = await auditServer({ url });
const failed = results.filter(({ status }) => status !== "ok").map(({ id, name, reason }) => `${id} ${name}: ${reason}`);
assert.deepEqual(failed, []);
assert.equal(results.length, 61);
