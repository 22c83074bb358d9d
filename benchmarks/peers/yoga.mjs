// GraphQL Yoga behind graphql-ws, set up as its documentation shows. `node yoga.mjs REDIS_URL RENDERS_FILE` prints its port.
import { createServer } from "node:http";
import { useServer } from "graphql-ws/use/ws";
import { createYoga } from "graphql-yoga";
import { WebSocketServer } from "ws";
import { Hub, makeSchema } from "./hub.mjs";

const [redisUrl, rendersFile] = process.argv.slice(2);
const yoga = createYoga({ schema: makeSchema(new Hub(redisUrl, rendersFile)), logging: false });
const http = createServer(yoga);
const server = new WebSocketServer({ server: http, path: yoga.graphqlEndpoint });
useServer(
  {
    execute: (args) => args.rootValue.execute(args),
    subscribe: (args) => args.rootValue.subscribe(args),
    onSubscribe: async (context, _id, params) => {
      const { schema, execute, subscribe, contextFactory, parse, validate } = yoga.getEnveloped({
        ...context,
        req: context.extra.request,
        socket: context.extra.socket,
        params,
      });
      const args = {
        schema,
        operationName: params.operationName,
        document: parse(params.query),
        variableValues: params.variables,
        contextValue: await contextFactory(),
        rootValue: { execute, subscribe },
      };
      const errors = validate(args.schema, args.document);
      return errors.length ? errors : args;
    },
  },
  server,
);
http.listen(0, "127.0.0.1", () => console.log(http.address().port));
