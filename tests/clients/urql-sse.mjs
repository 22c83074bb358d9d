// urql's core with subscriptions over graphql-sse.

import { subscriptionExchange } from "@urql/core";
import { createClient } from "graphql-sse";
import * as job from "./job.mjs";
import { checkUrql } from "./urql-checks.mjs";

const events = createClient({ url: job.url, headers: job.credentials });
await checkUrql({
  exchanges: [
    subscriptionExchange({
      forwardSubscription: ({ query, variables }) => ({
        subscribe: (sink) => ({ unsubscribe: events.subscribe({ query, variables }, sink) }),
      }),
    }),
  ],
});
