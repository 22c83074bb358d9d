// Relay's operations. Its compiler validates them against the schema and writes __generated__/, which relay.mjs uses.

import { graphql } from "relay-runtime";

graphql`
  mutation rendersStartMutation($input: StartRenderInput!, $connections: [ID!]!) {
    startRender(input: $input) {
      __typename
      ... on StartRenderSuccess {
        render @prependNode(connections: $connections, edgeTypeName: "RenderEdge") {
          id
          status
          ...renders_render
        }
      }
      ... on UserError {
        message
      }
    }
  }
`;

graphql`
  subscription rendersProgressSubscription($id: ID!) {
    renderProgress(renderId: $id) {
      id
      revision
      status
      progress
      outputUrl
      error {
        message
      }
    }
  }
`;

graphql`
  query rendersListQuery($first: Int!, $after: String) {
    renders(first: $first, after: $after) @connection(key: "list_renders") {
      edges {
        node {
          id
          revision
          status
          outputUrl
        }
      }
      pageInfo {
        endCursor
      }
    }
  }
`;

graphql`
  fragment renders_render on Render @refetchable(queryName: "rendersAgainQuery") {
    revision
    status
    outputUrl
  }
`;

graphql`
  mutation rendersCancelMutation($id: ID!) {
    cancelRender(renderId: $id) {
      __typename
      ... on UserError {
        message
      }
    }
  }
`;

graphql`
  mutation rendersDeleteMutation($id: ID!, $connections: [ID!]!) {
    deleteRender(renderId: $id) {
      ... on DeleteRenderSuccess {
        renderId @deleteEdge(connections: $connections) @deleteRecord
      }
      ... on UserError {
        message
      }
    }
  }
`;
