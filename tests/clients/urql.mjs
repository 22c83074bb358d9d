// urql's core with subscriptions over graphql-ws.

import { subscriptionExchange } from "@urql/core";
import { createClient } from "graphql-ws";
import WebSocket from "ws";
import * as job from "./job.mjs";
import { checkUrql } from "./urql-checks.mjs";

const websocket = createClient({
  url: job.websocketUrl,
  connectionParams: job.credentials,
  webSocketImpl: WebSocket,
});
await checkUrql({
  exchanges: [
    subscriptionExchange({
      forwardSubscription: ({ query, variables }) => ({
        subscribe: (sink) => ({ unsubscribe: websocket.subscribe({ query, variables }, sink) }),
      }),
    }),
  ],
});
