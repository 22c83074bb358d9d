// What every Apollo Client must be able to do, with its normalising cache: HTTP for queries and mutations, and any link
// for subscriptions.

import assert from "node:assert/strict";
import { ApolloClient, ApolloLink, gql, HttpLink, InMemoryCache } from "@apollo/client";
import { OperationTypeNode } from "graphql";
import * as job from "./job.mjs";
import { CANCEL, INPUT, LIST, PROGRESS, START } from "./operations.mjs";

/** Start a render, watch it, and fetch its video. */
export async function checkApollo(subscriptionLink) {
  const client = new ApolloClient({
    cache: new InMemoryCache(),
    link: ApolloLink.split(
      ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
      subscriptionLink,
      new HttpLink({ uri: job.url, headers: job.credentials }),
    ),
  });

  const started = await client.mutate({ mutation: gql(START), variables: { input: INPUT } });
  const id = job.startedId(started.data);
  const before = await client.query({ query: gql(LIST) });
  assert.equal(before.data.renders.edges[0].node.id, id);

  const states = [];
  await client.subscribe({ query: gql(PROGRESS), variables: { id } }).forEach(({ data, error }) => {
    assert.equal(error, undefined);
    states.push(job.seen(data.renderProgress));
  });
  job.checkStates(states, id);

  // The subscription has updated the list in the cache, which identifies a render by its type and id.
  const cached = await client.query({ query: gql(LIST), fetchPolicy: "cache-only" });
  assert.equal(job.checkList(cached.data, states.at(-1)).outputUrl, states.at(-1).outputUrl);
  const fetched = await client.query({ query: gql(LIST), fetchPolicy: "network-only" });
  await job.checkVideo(job.checkList(fetched.data, states.at(-1)).outputUrl);

  const cancelled = await client.mutate({ mutation: gql(CANCEL), variables: { id: job.UNKNOWN_ID } });
  job.checkUnknown(cancelled.data);
  const errors = [];
  await client.subscribe({ query: gql(PROGRESS), variables: { id: job.UNKNOWN_ID } }).forEach(({ error }) => {
    errors.push(...error.errors);
  });
  job.checkNotFound(errors);
}
