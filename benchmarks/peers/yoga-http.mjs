// GraphQL Yoga over HTTP, set up as its documentation shows: the operations of `benchmarks.requests`, from memory.
// `node yoga-http.mjs` prints its port.
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { createSchema, createYoga } from "graphql-yoga";

const typeDefs = `
  scalar DateTime
  enum RenderStatus { QUEUED RENDERING COMPLETE FAILED CANCELLED }
  enum AnimationStyle { FADE_IN TYPEWRITER SLIDE_UP SCALE }
  type Render { id: ID!  status: RenderStatus!  progress: Int!  createdAt: DateTime! }
  type RenderEdge { node: Render! }
  type RenderConnection { edges: [RenderEdge!]! }
  type RenderQuota { remaining: Int!  resetsAt: DateTime! }
  input AnimationPropsInput {
    text: String!  style: AnimationStyle!  fontFamily: String!  fontSize: Float!  color: String!
    durationInFrames: Int!
  }
  input StartRenderInput { animationProps: AnimationPropsInput! }
  type StartRenderSuccess { render: Render!  quota: RenderQuota! }
  type RenderQuotaExceeded { message: String! }
  union StartRenderResult = StartRenderSuccess | RenderQuotaExceeded
  type CancelRenderSuccess { render: Render! }
  type RenderNotFound { message: String! }
  union CancelRenderResult = CancelRenderSuccess | RenderNotFound
  type Query { renderQuota: RenderQuota!  renders(first: Int = 20): RenderConnection! }
  type Mutation {
    startRender(input: StartRenderInput!): StartRenderResult!
    cancelRender(renderId: ID!): CancelRenderResult!
  }
`;

const renders = new Map();
let used = 0;

const quota = () => ({ remaining: 1e9 - used, resetsAt: new Date(Math.ceil(Date.now() / 36e5) * 36e5).toISOString() });

function start() {
  const render = { id: randomUUID(), status: "QUEUED", progress: 0, createdAt: new Date().toISOString() };
  renders.set(render.id, render);
  used += 1;
  return render;
}

const resolvers = {
  Query: {
    renderQuota: quota,
    renders: (_, { first }) => {
      const newest = [...renders.values()].slice(0, first);
      return { edges: newest.map((node) => ({ node })) };
    },
  },
  Mutation: {
    startRender: () => ({ __typename: "StartRenderSuccess", render: start(), quota: quota() }),
    cancelRender: (_, { renderId }) =>
      renders.has(renderId)
        ? { __typename: "CancelRenderSuccess", render: renders.get(renderId) }
        : { __typename: "RenderNotFound", message: "There is no such render." },
  },
};

for (let number = 0; number < 20; number += 1) start();
const server = createServer(createYoga({ schema: createSchema({ typeDefs, resolvers }), logging: false }));
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
