"""The GraphQL operations of the clients."""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from rendercast.client.reading import selection
from rendercast.client.results import BatchProgress, CompositionInfo, DownloadUrl, InputPathProblem, Render, RenderQuota
from rendercast.client.user_errors import (
    RENDER,
    BatchNotFound,
    IdempotencyKeyReused,
    InvalidAnimation,
    InvalidInput,
    RenderAlreadyFinished,
    RenderNotComplete,
    RenderNotFinished,
    RenderNotFound,
    RenderNotRetryable,
    RenderQuotaExceeded,
    UserError,
)

State = TypeVar("State")

RENDER_FRAGMENT = f"fragment Render on Render {{ {selection(Render)} }}"
# Without the place in the queue, which costs a read for each render.
STATE_FRAGMENT = f"fragment Render on Render {{ {selection(Render, without=('queue_position',))} }}"
QUOTA_FIELDS = f"quota {{ {selection(RenderQuota)} }}"


def _mutation(
    variables: str, call: str, success: str, *errors: type[UserError], fragment: str = RENDER_FRAGMENT
) -> str:
    """Return a mutation with one root field. `errors` are those of its errors that have more than a message."""
    kinds = " ".join(f"... on {each.__name__} {{ {each.fields} }}" for each in errors)
    body = f"__typename ... on UserError {{ message }} {success} {kinds}"
    used = fragment if "...Render" in body else ""
    return f"mutation ({variables}) {{ {call} {{ {body} }} }} {used}"


ID = "$id: ID!"
START = _mutation(
    "$input: StartRenderInput!",
    "startRender(input: $input)",
    f"... on StartRenderSuccess {{ {RENDER} }}",
    RenderQuotaExceeded,
    InvalidAnimation,
    InvalidInput,
    IdempotencyKeyReused,
)
RETRY = _mutation(
    ID,
    "retryRender(renderId: $id)",
    f"... on StartRenderSuccess {{ {RENDER} }}",
    RenderQuotaExceeded,
    RenderNotRetryable,
)
CANCEL = _mutation(
    ID, "cancelRender(renderId: $id)", f"... on CancelRenderSuccess {{ {RENDER} }}", RenderAlreadyFinished
)
DELETE = _mutation(ID, "deleteRender(renderId: $id)", "", RenderNotFinished)
REFRESH = _mutation(
    ID,
    "refreshDownloadUrl(renderId: $id)",
    f"... on DownloadUrl {{ {selection(DownloadUrl)} }}",
    RenderNotComplete,
)
START_BATCH = _mutation(
    "$input: StartRendersInput!",
    "startRenders(input: $input)",
    f"... on StartRendersSuccess {{ renders {{ ...Render }} duplicates {QUOTA_FIELDS} }}",
    RenderQuotaExceeded,
    InvalidInput,
    IdempotencyKeyReused,
    fragment=STATE_FRAGMENT,
)
CANCEL_BATCH = _mutation(ID, "cancelBatch(batchId: $id)", "... on CancelBatchSuccess { cancelled stopping }")
LIST = f"""
query ($first: Int!, $after: String, $filter: RenderFilter) {{
  renders(first: $first, after: $after, filter: $filter) {{
    edges {{ node {{ ...Render }} }}
    pageInfo {{ hasNextPage endCursor }}
  }}
}}
{RENDER_FRAGMENT}
"""
QUOTA = f"query {{ renderQuota {{ {selection(RenderQuota)} }} }}"
CHECK = (
    f"query ($renders: [StartRenderInput!]!) {{ checkRenders(renders: $renders) {{ {selection(InputPathProblem)} }} }}"
)
COMPOSITIONS = f"query {{ compositions {{ {selection(CompositionInfo)} }} }}"
GET_COMPOSITION = f"query ($id: ID!) {{ composition(id: $id) {{ {selection(CompositionInfo)} }} }}"
COMPOSITION_IDS = "query { compositions { id } }"
BATCH_FIELDS = f"batchProgress(batchId: $id) {{ {selection(BatchProgress)} }}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched(Generic[State]):
    """A kind of object that can be watched by its id: the subscription, and the query for its present state.

    If there is none with this id, the query's root field is null and the subscription fails with NOT_FOUND. `missing`
    is the message of `not_found`.
    """

    kind: type[State]
    subscription: str
    query: str
    not_found: type[UserError]
    missing: str
    is_newer: Callable[[State, State], bool]
    has_ended: Callable[[State], bool]

    def missing_error(self) -> UserError:
        """Return the exception for an id that does not exist."""
        return self.not_found({"message": self.missing})


WATCHED_RENDER = Watched(
    kind=Render,
    subscription=f"subscription ($id: ID!) {{ renderProgress(renderId: $id) {{ ...Render }} }} {RENDER_FRAGMENT}",
    query=f"query ($id: ID!) {{ render(id: $id) {{ ...Render }} }} {RENDER_FRAGMENT}",
    not_found=RenderNotFound,
    missing="You have no render with this id.",
    is_newer=lambda new, old: new.revision > old.revision,
    has_ended=lambda state: state.has_ended,
)
WATCHED_BATCH = Watched(
    kind=BatchProgress,
    subscription=f"subscription ($id: ID!) {{ {BATCH_FIELDS} }}",
    query=f"query ($id: ID!) {{ {BATCH_FIELDS} }}",
    not_found=BatchNotFound,
    missing="You have no renders with this batch id.",
    is_newer=operator.ne,
    has_ended=lambda state: state.has_ended,
)
