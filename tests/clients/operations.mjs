// The clients' operations. Those of Relay are in relay/renders.js, for its compiler.

export const INPUT = {
  animationProps: {
    text: "Hello",
    style: "TYPEWRITER",
    fontFamily: "Inter",
    fontSize: 96,
    color: "white",
    durationInFrames: 150, // with slow renderers ten seconds
  },
};

export const SHORT = { animationProps: { ...INPUT.animationProps, durationInFrames: 1 } };

export const START = `
  mutation Start($input: StartRenderInput!) {
    startRender(input: $input) {
      __typename
      ... on StartRenderSuccess { render { id status } quota { remaining } }
      ... on InvalidAnimation { message problems { field message } }
      ... on RenderQuotaExceeded { message retryAfterSeconds }
      ... on RenderServiceNotConfigured { message }
    }
  }
`;

export const PROGRESS = `
  subscription Progress($id: ID!) {
    renderProgress(renderId: $id) { __typename id revision status progress outputUrl error { message } }
  }
`;

export const UPDATES = `
  subscription Updates {
    renderUpdates { id revision status }
  }
`;

export const LIST = `
  query List {
    renders(first: 10) {
      edges { node { __typename id revision status progress outputUrl } }
      pageInfo { hasNextPage endCursor }
    }
  }
`;

export const CANCEL = `
  mutation Cancel($id: ID!) {
    cancelRender(renderId: $id) {
      __typename
      ... on RenderNotFound { message }
    }
  }
`;
