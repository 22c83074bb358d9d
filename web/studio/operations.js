// The GraphQL operations of the page. schema/schema.graphql describes the fields.
//
// Props can be large, and the server limits the size of a result: no list contains them.

const RENDER = `
fragment Render on Render {
  id revision status phase progress framesRendered totalFrames estimatedCompletionAt queuePosition
  batchId compositionId animationProps { text style fontFamily fontSize fontWeight italic color backgroundColor durationInFrames fps }
  output { format kind contentType width height fps scale transparent }
  cancelRequested warnings error { message retryable }
  outputUrl downloadUrl: outputUrl(download: true) outputUrlExpiresAt outputSizeBytes posterUrl previewUrl costUsd
  createdAt completedAt
}`;

const QUOTA = `
fragment Quota on RenderQuota { limit remaining windowSeconds resetsAt resetsInSeconds }`;

const COMPOSITION = `
fragment Composition on Composition {
  id kind width height fps durationInFrames outputs
}`;

export const OVERVIEW = `
query Overview {
  renders(first: 20) { edges { node { ...Render } } pageInfo { hasNextPage endCursor } }
  renderQuota { ...Quota }
  compositions { ...Composition }
  renderLimits { maxDurationSeconds fps maxTextLength minFontSize maxFontSize }
}${RENDER}${QUOTA}${COMPOSITION}`;

export const READ_COMPOSITIONS = `
query ReadCompositions { compositions { ...Composition } }${COMPOSITION}`;

export const READ_FONTS = `
query ReadFonts { fonts { family weights italic scripts } }`;

export const READ_COMPOSITION = `
query ReadComposition($id: ID!) { composition(id: $id) { defaultProps propsSchema } }`;

export const READ_LAYOUT = `
query ReadLayout($animationProps: AnimationPropsInput!, $output: OutputInput) {
  textLayout(animationProps: $animationProps, output: $output) {
    width height durationInFrames fps fontSize graphemes warnings
    runs { text x baseline font rtl start end } fonts { id data }
  }
}`;

export const OLDER = `
query Older($after: String, $filter: RenderFilter) {
  renders(first: 20, after: $after, filter: $filter) { edges { node { ...Render } } pageInfo { hasNextPage endCursor } }
}${RENDER}`;

export const READ_RENDER = `
query ReadRender($id: ID!) { render(id: $id) { ...Render } }${RENDER}`;

export const READ_INPUT = `
query ReadInput($id: ID!) { render(id: $id) { inputProps } }`;

export const READ_SETTINGS = `
query ReadSettings($id: ID!) {
  render(id: $id) {
    compositionId inputProps animationProps { text style fontFamily fontSize fontWeight italic color backgroundColor durationInFrames fps }
    output { format width height fps scale crf bitrateKbps transparent muted proResProfile everyNthFrame loops frame quality }
  }
}`;

export const READ_BATCH = `
query ReadBatch($id: ID!) {
  batchProgress(batchId: $id) {
    total complete failed cancelled percent hasEnded estimatedCompletionAt failures { error { message } }
  }
}`;

export const READ_QUOTA = `
query ReadQuota { renderQuota { ...Quota } }${QUOTA}`;

export const UPDATES = `
subscription Updates { renderChanges { deletedRenderId render { ...Render } } }${RENDER}`;

export const START = `
mutation Start($input: StartRenderInput!) {
  startRender(input: $input) {
    __typename
    ... on UserError { message }
    ... on StartRenderSuccess { render { ...Render } quota { ...Quota } }
    ... on RenderQuotaExceeded { quota { ...Quota } }
    ... on InvalidAnimation { problems { field message } }
    ... on InvalidInput { problems { path message } }
  }
}${RENDER}${QUOTA}`;

export const CHECK = `
query Check($input: StartRenderInput!) { checkRenders(renders: [$input]) { path } }`;

export const RETRY = `
mutation Retry($id: ID!) {
  retryRender(renderId: $id) {
    __typename
    ... on UserError { message }
    ... on StartRenderSuccess { render { ...Render } quota { ...Quota } duplicate }
    ... on RenderQuotaExceeded { quota { ...Quota } }
    ... on RenderNotRetryable { render { ...Render } }
  }
}${RENDER}${QUOTA}`;

export const CANCEL = `
mutation Cancel($id: ID!) {
  cancelRender(renderId: $id) {
    __typename
    ... on UserError { message }
    ... on CancelRenderSuccess { render { ...Render } }
    ... on RenderAlreadyFinished { render { ...Render } }
  }
}${RENDER}`;

export const CANCEL_BATCH = `
mutation CancelBatch($id: ID!) {
  cancelBatch(batchId: $id) { __typename ... on UserError { message } }
}`;

export const DELETE = `
mutation Delete($id: ID!) {
  deleteRender(renderId: $id) {
    __typename
    ... on UserError { message }
    ... on RenderNotFinished { render { ...Render } }
  }
}${RENDER}`;

export const REFRESH_URL = `
mutation RefreshUrl($id: ID!) {
  refreshDownloadUrl(renderId: $id) {
    __typename
    ... on UserError { message }
    ... on DownloadUrl { render { ...Render } }
  }
}${RENDER}`;

export const SHARE = `
mutation Share($id: ID!, $seconds: Int!) {
  renderToken(renderId: $id, expiresInSeconds: $seconds) {
    __typename
    ... on UserError { message }
    ... on RenderToken { token expiresAt }
  }
}`;
