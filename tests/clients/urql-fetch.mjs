// urql's core with subscriptions over SSE by its own fetch exchange.

import { checkUrql } from "./urql-checks.mjs";

await checkUrql({ fetchSubscriptions: true });
