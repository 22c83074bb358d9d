// GraphQL Yoga over HTTP, set up as its documentation shows, with the operations of `benchmarks.requests`.
// `node yoga-http.mjs REDIS_URL [MONGODB_URL]` prints its port. It verifies the token of each request (HS256 with
// JWT_SECRET, issuer, audience and expiry), takes quota, and publishes each started render, as Rendercast does.
import { createSecretKey } from "node:crypto";
import { createServer } from "node:http";
import { GraphQLError } from "graphql";
import { createSchema, createYoga } from "graphql-yoga";
import Redis from "ioredis";
import jwt from "jsonwebtoken";
import { LIMIT, openStore, resetsAt } from "./yoga-stores.mjs";

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
  type Query { renderQuota: RenderQuota!  renders(first: Int = 20): RenderConnection!  render(id: ID!): Render }
  type Mutation {
    startRender(input: StartRenderInput!): StartRenderResult!
    cancelRender(renderId: ID!): CancelRenderResult!
  }
`;

const [redisUrl, mongodbUrl] = process.argv.slice(2);
const secret = createSecretKey(Buffer.from(process.env.JWT_SECRET));
const store = await openStore(mongodbUrl);
const redis = new Redis(redisUrl);

const quota = (used) => ({ remaining: Math.max(0, LIMIT - used), resetsAt: resetsAt() });

const resolvers = {
  DateTime: { serialize: (time) => time.toISOString() },
  Render: { id: (render) => render._id },
  Query: {
    renderQuota: async (_, __, { owner }) => quota(await store.used(owner)),
    renders: async (_, { first }, { owner }) => ({
      edges: (await store.list(owner, first)).map((node) => ({ node })),
    }),
    render: (_, { id }, { owner }) => store.get(id, owner),
  },
  Mutation: {
    startRender: async (_, { input }, { owner }) => {
      const started = await store.start(owner, input.animationProps);
      if (!started) return { __typename: "RenderQuotaExceeded", message: "The quota is used up." };
      await redis.publish(`renders:${owner}`, JSON.stringify(started.render));
      return { __typename: "StartRenderSuccess", render: started.render, quota: quota(started.used) };
    },
    cancelRender: async (_, { renderId }, { owner }) => {
      const render = await store.get(renderId, owner);
      return render
        ? { __typename: "CancelRenderSuccess", render }
        : { __typename: "RenderNotFound", message: "There is no such render." };
    },
  },
};

/** Returns the user of the request's token. */
function context({ request }) {
  const token = request.headers.get("authorization")?.slice("Bearer ".length) ?? "";
  try {
    const options = { algorithms: ["HS256"], issuer: "rendercast", audience: "rendercast" };
    return { owner: jwt.verify(token, secret, options).sub };
  } catch {
    throw new GraphQLError("Sign in.", { extensions: { code: "UNAUTHENTICATED", http: { status: 401 } } });
  }
}

const server = createServer(createYoga({ schema: createSchema({ typeDefs, resolvers }), context, logging: false }));
server.keepAliveTimeout = 75_000; // as Rendercast's
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
