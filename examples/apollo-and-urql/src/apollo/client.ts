import { ApolloClient, ApolloLink, CombinedGraphQLErrors, HttpLink, InMemoryCache } from "@apollo/client";
import { SetContextLink } from "@apollo/client/link/context";
import { ErrorLink } from "@apollo/client/link/error";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { relayStylePagination } from "@apollo/client/utilities";
import { OperationTypeNode } from "graphql";
import { from, map, switchMap } from "rxjs";
import { HTTP_URL, socket } from "../connection";
import possible from "../gql/possible-types";
import { keepNewest } from "../renders";
import { credentials, renewCredentials } from "../session";

const newestOnly = new ApolloLink((operation, forward) =>
  forward(operation).pipe(map((result) => ({ ...result, data: keepNewest(result.data) }))),
);

const withCredentials = new SetContextLink(async ({ headers }) => ({
  headers: { ...headers, ...(await credentials()) },
}));

/** Retry once with a new token when the current one was rejected. */
const withRenewal = new ErrorLink(({ error, operation, forward }) => {
  if (!codesOf(error).includes("UNAUTHENTICATED")) return;
  return from(renewCredentials()).pipe(switchMap(() => forward(operation)));
});

export const client = new ApolloClient({
  link: newestOnly.concat(
    ApolloLink.split(
      ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
      new GraphQLWsLink(socket),
      ApolloLink.from([withRenewal, withCredentials, new HttpLink({ uri: HTTP_URL })]),
    ),
  ),
  cache: new InMemoryCache({
    possibleTypes: possible.possibleTypes,
    typePolicies: {
      Query: { fields: { renders: relayStylePagination(["filter"]) } },
      RenderQuota: { keyFields: [] }, // one object per user: each response that contains it updates all components
    },
  }),
});

/** Return the `extensions.code` of each error. */
export function codesOf(error: unknown): unknown[] {
  return CombinedGraphQLErrors.is(error) ? error.errors.map(({ extensions }) => extensions?.["code"]) : [];
}

/** Return an error whose message is a sentence for the user. The API's messages are sentences. */
export function toUserError(error: unknown): Error {
  const messages = CombinedGraphQLErrors.is(error) ? error.errors.map(({ message }) => message).join(" ") : "";
  return new Error(messages || "Rendercast can't be reached. Please try again.", { cause: error });
}
