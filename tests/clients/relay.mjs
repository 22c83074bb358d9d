// Relay with its store and the compiled operations of relay/renders.js: HTTP, and graphql-ws for subscriptions.

import assert from "node:assert/strict";
import { createClient } from "graphql-ws";
import {
  commitMutation,
  ConnectionHandler,
  createOperationDescriptor,
  Environment,
  fetchQuery,
  getRequest,
  getSelector,
  Network,
  Observable,
  RecordSource,
  requestSubscription,
  ROOT_ID,
  Store,
} from "relay-runtime";
import WebSocket from "ws";
import * as job from "./job.mjs";
import { INPUT, SHORT } from "./operations.mjs";
import AGAIN from "./relay/__generated__/rendersAgainQuery.graphql.js";
import CANCEL from "./relay/__generated__/rendersCancelMutation.graphql.js";
import DELETE from "./relay/__generated__/rendersDeleteMutation.graphql.js";
import LIST from "./relay/__generated__/rendersListQuery.graphql.js";
import PROGRESS from "./relay/__generated__/rendersProgressSubscription.graphql.js";
import START from "./relay/__generated__/rendersStartMutation.graphql.js";
import RENDER from "./relay/__generated__/renders_render.graphql.js";

const websocket = createClient({
  url: job.websocketUrl,
  connectionParams: job.credentials,
  webSocketImpl: WebSocket,
});

async function post({ text }, variables) {
  const response = await fetch(job.url, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...job.credentials },
    body: JSON.stringify({ query: text, variables }),
  });
  return response.json();
}

const subscribe = ({ text }, variables) =>
  Observable.create((sink) => websocket.subscribe({ query: text, variables }, sink));
const environment = new Environment({
  network: Network.create(post, subscribe),
  store: new Store(new RecordSource()),
});

/** Return the data of a query. */
const query = (document, variables) => fetchQuery(environment, document, variables).toPromise();

/** Return the data of a mutation. */
const mutate = (mutation, variables) =>
  new Promise((onCompleted, onError) => {
    commitMutation(environment, { mutation, variables, onCompleted, onError });
  });

/** Return all states of a render. `receive` is called with each. */
const watch = (id, receive = () => {}) =>
  new Promise((resolve, onError) => {
    const states = [];
    requestSubscription(environment, {
      subscription: PROGRESS,
      variables: { id },
      onNext: ({ renderProgress }) => {
        states.push(renderProgress);
        receive(renderProgress);
      },
      onCompleted: () => resolve(states),
      onError,
    });
  });

// The list in the store, as a page shows it.
const list = createOperationDescriptor(getRequest(LIST), { first: 1 });
environment.retain(list);
const shown = () => environment.lookup(list.fragment).data;
const shownIds = () => shown().renders.edges.map(({ node }) => node.id);
const connections = [ConnectionHandler.getConnectionID(ROOT_ID, "list_renders")];

// Started renders are added to the list.
await query(LIST, { first: 1 });
const older = job.startedId(await mutate(START, { input: SHORT, connections }));
const newer = job.startedId(await mutate(START, { input: INPUT, connections }));
assert.deepEqual(shownIds().slice(0, 2), [newer, older]);

// Messages of the subscription also update the list, because the store identifies a render by its id.
await watch(older);
const states = await watch(newer, job.seen); // whose progress is checked, so that the renderers stay slow until then
job.checkStates(states, newer);
job.checkList(shown(), states.at(-1));

// The next page follows the first.
await query(LIST, { first: 1 });
assert.deepEqual(shownIds(), [newer]);
await query(LIST, { first: 1, after: shown().renders.pageInfo.endCursor });
assert.deepEqual(shownIds(), [newer, older]);

// A render is refetched as a node.
const { node } = await query(AGAIN, { id: newer });
const { data } = environment.lookup(getSelector(RENDER, node));
assert.equal(data.status, "COMPLETE");
await job.checkVideo(data.outputUrl);

// A deleted render is removed from the list.
await mutate(DELETE, { id: older, connections });
assert.deepEqual(shownIds(), [newer]);

job.checkUnknown(await mutate(CANCEL, { id: job.UNKNOWN_ID }));
await assert.rejects(watch(job.UNKNOWN_ID), ({ source }) => job.checkNotFound(source.errors) ?? true);

// Relay unsubscribes while it handles the error. If the stream's completion is in the same packet, graphql-ws 6.4.2 on
// Node counts that twice and never closes by itself.
await websocket.dispose();
