// The GraphQL documents. Each has one field at its root.

const RENDER =
  " fragment R on Render{id revision status phase progress framesRendered totalFrames queuePosition " +
  "estimatedCompletionAt cancelRequested compositionId generationId batchId animationProps{text}" +
  "output{format kind contentType fileName width height}warnings error{code message retryable}" +
  "outputUrl downloadUrl:outputUrl(download:true)outputUrlExpiresAt outputSizeBytes posterUrl " +
  "previewUrl createdAt startedAt completedAt}";
const QUOTA = "{limit remaining windowSeconds resetsAt resetsInSeconds}";
const BATCH =
  "{batchId total queued rendering complete failed cancelled percent hasEnded estimatedCompletionAt failures{...R}}";

/** Return the selection of a member of a union, by default its render. */
const on = (type: string, fields = "render{...R}") => `...on ${type}{${fields}}`;
const EXCEEDED = on("RenderQuotaExceeded", `retryAfterSeconds quota${QUOTA}`);
const INVALID = on("InvalidInput", "problems{path message}") + on("IdempotencyKeyReused");

/** Return a mutation that selects these fields of its union, and the messages of errors. */
const mutation = (name: string, members: string, argument = "renderId:$id", variable = "$id:ID!") =>
  `mutation ${name}(${variable}){${name}(${argument}){__typename ...on UserError{message}${members}}}${RENDER}`;

/** Return a query or subscription with an id. */
const read = (kind: string, field: string, parameter = "renderId", fields = "{...R}") =>
  `${kind} ${field}($id:ID!){${field}(${parameter}:$id)${fields}}${RENDER}`;

export const START = mutation(
  "startRender",
  on("StartRenderSuccess") + on("InvalidAnimation", "problems{field message}") + INVALID + EXCEEDED,
  "input:$input",
  "$input:StartRenderInput!",
);
export const START_BATCH = mutation(
  "startRenders",
  on("StartRendersSuccess", `renders{...R}duplicates quota${QUOTA}`) + INVALID + EXCEEDED,
  "input:$input",
  "$input:StartRendersInput!",
);
export const CANCEL = mutation("cancelRender", on("CancelRenderSuccess") + on("RenderAlreadyFinished"));
export const CANCEL_BATCH = mutation("cancelBatch", on("CancelBatchSuccess", `progress${BATCH}`), "batchId:$id");
export const RETRY = mutation("retryRender", on("StartRenderSuccess") + on("RenderNotRetryable") + EXCEEDED);
export const DELETE = mutation("deleteRender", on("RenderNotFinished"));
export const REFRESH = mutation(
  "refreshDownloadUrl",
  on("DownloadUrl", "url expiresAt render{...R}") + on("RenderNotComplete"),
);

export const GET = read("query", "render", "id");
export const LIST =
  "query renders($first:Int,$after:String,$filter:RenderFilter){renders(first:$first,after:$after,filter:$filter)" +
  `{edges{node{...R}}pageInfo{hasNextPage endCursor}}}${RENDER}`;
export const GET_BATCH = read("query", "batchProgress", "batchId", BATCH);
export const GET_QUOTA = `{renderQuota${QUOTA}}`;
export const COMPOSITIONS = "{compositions{id kind width height fps durationInFrames outputs defaultProps propsSchema}}";
/** Reads nothing: finds out whether a transport works. */
export const PROBE = "{__typename}";

export const WATCH = read("subscription", "renderProgress");
export const WATCH_BATCH = read("subscription", "batchProgress", "batchId", BATCH);
export const CHANGES = `subscription renderChanges{renderChanges{render{...R}deletedRenderId}}${RENDER}`;
