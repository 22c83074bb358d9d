"""The GraphQL operations of the commands."""

RENDER = """
fragment Render on Render {
  id revision status phase progress framesRendered totalFrames queuePosition estimatedCompletionAt
  animationProps { text style fontFamily fontSize color backgroundColor durationInFrames fps }
  compositionId output { format kind contentType fileName width height fps }
  attempt cancelRequested warnings error { code message retryable }
  outputUrl outputUrlExpiresAt outputSizeBytes posterUrl costUsd createdAt startedAt completedAt
}
"""
START = f"""
mutation ($input: StartRenderInput!) {{
  startRender(input: $input) {{
    __typename
    ... on UserError {{ message }}
    ... on StartRenderSuccess {{ render {{ ...Render }} }}
    ... on RenderQuotaExceeded {{ retryAfterSeconds quota {{ limit remaining windowSeconds resetsAt }} }}
    ... on InvalidAnimation {{ problems {{ field message }} }}
    ... on InvalidInput {{ problems {{ path message }} }}
    ... on IdempotencyKeyReused {{ render {{ id }} }}
  }}
}}
{RENDER}
"""
CANCEL = f"""
mutation ($id: ID!) {{
  cancelRender(renderId: $id) {{
    __typename
    ... on UserError {{ message }}
    ... on CancelRenderSuccess {{ render {{ ...Render }} }}
    ... on RenderAlreadyFinished {{ render {{ ...Render }} }}
  }}
}}
{RENDER}
"""
REFRESH = """
mutation ($id: ID!) {
  refreshDownloadUrl(renderId: $id) {
    __typename
    ... on UserError { message }
    ... on DownloadUrl { url }
  }
}
"""
GET = f"query ($id: ID!) {{ render(id: $id) {{ ...Render }} }} {RENDER}"
LIST = f"""
query ($first: Int!, $after: String, $filter: RenderFilter) {{
  renders(first: $first, after: $after, filter: $filter) {{
    edges {{ node {{ ...Render }} }}
    pageInfo {{ hasNextPage endCursor }}
  }}
}}
{RENDER}
"""
COMPOSITION = """
fragment Composition on Composition {
  id kind width height fps durationInFrames outputs defaultProps propsSchema
}
"""
COMPOSITIONS = f"query {{ compositions {{ ...Composition }} }} {COMPOSITION}"
GET_COMPOSITION = f"query ($id: ID!) {{ composition(id: $id) {{ ...Composition }} }} {COMPOSITION}"
COMPOSITION_IDS = "query { compositions { id } }"
QUOTA = "query { renderQuota { limit remaining windowSeconds resetsAt } }"
PROGRESS = f"subscription ($id: ID!) {{ renderProgress(renderId: $id) {{ ...Render }} }} {RENDER}"
