// Apollo Client with multipart subscriptions, which need no link of their own.

import { HttpLink } from "@apollo/client";
import { checkApollo } from "./apollo-checks.mjs";
import * as job from "./job.mjs";

await checkApollo(new HttpLink({ uri: job.url, headers: job.credentials }));
