// Apollo Client with subscriptions over graphql-ws.

import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { createClient } from "graphql-ws";
import WebSocket from "ws";
import { checkApollo } from "./apollo-checks.mjs";
import * as job from "./job.mjs";

const websocket = createClient({
  url: job.websocketUrl,
  connectionParams: job.credentials,
  webSocketImpl: WebSocket,
});
await checkApollo(new GraphQLWsLink(websocket));
