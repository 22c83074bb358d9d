import { authExchange } from "@urql/exchange-auth";
import { cacheExchange } from "@urql/exchange-graphcache";
import { relayPagination } from "@urql/exchange-graphcache/extras";
import { Client, type CombinedError, fetchExchange, mapExchange, subscriptionExchange } from "urql";
import { HTTP_URL, socket } from "../connection";
import { RendersDocument, type UpdatesSubscription } from "../gql/graphql";
import schema from "../gql/schema.json";
import { keepNewest, withRender } from "../renders";
import { credentials, renewCredentials } from "../session";

const cache = cacheExchange({
  schema,
  resolvers: { Query: { renders: relayPagination() } },
  updates: {
    Subscription: {
      renderUpdates({ renderUpdates }: UpdatesSubscription, _args, store) {
        store.updateQuery({ query: RendersDocument }, (list) => list && withRender(list, renderUpdates));
      },
    },
  },
  keys: {
    RenderQuota: () => "mine", // one object per user: each response that contains it updates all components
    AnimationProps: () => null,
  },
});

const authorization = authExchange(async ({ appendHeaders }) => {
  let headers = await credentials();
  return {
    addAuthToOperation: (operation) => appendHeaders(operation, headers),
    didAuthError: (error) => codesOf(error).includes("UNAUTHENTICATED"),
    async refreshAuth() {
      await renewCredentials();
      headers = await credentials();
    },
  };
});

export const client = new Client({
  url: HTTP_URL,
  preferGetMethod: false, // a GET request would write queries to logs and histories
  exchanges: [
    cache,
    mapExchange({ onResult: (result) => ({ ...result, data: keepNewest(result.data) }) }),
    authorization,
    fetchExchange,
    subscriptionExchange({
      forwardSubscription: ({ query, variables }) => ({
        subscribe: (sink) => ({ unsubscribe: socket.subscribe({ query: query ?? "", variables }, sink) }),
      }),
    }),
  ],
});

/** Return the `extensions.code` of each error. */
export const codesOf = (error: CombinedError | undefined): unknown[] =>
  error?.graphQLErrors.map(({ extensions }) => extensions["code"]) ?? [];

/** Return an error whose message is a sentence for the user. The API's messages are sentences. */
export function toUserError(error: CombinedError | undefined): Error {
  const messages = error?.graphQLErrors.map(({ message }) => message).join(" ");
  return new Error(messages || "Rendercast can't be reached. Please try again.", { cause: error });
}
