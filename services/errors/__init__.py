"""All errors that the services raise.

RendercastError
├── StartupError             the process can't start; the message says what to change
├── UserError                the caller can act on it
│   ├── Unauthenticated
│   │   ├── TokenExpired
│   │   └── TokenInvalid
│   ├── InvalidAnimation
│   ├── InvalidInput
│   ├── IdempotencyKeyReused
│   ├── InvalidArgument
│   ├── NotAllowed
│   ├── RenderTokenForbidden
│   ├── RenderTokensNotConfigured
│   ├── LimitExceeded
│   ├── ExecutionTimeout
│   ├── PersistedQueryNotSupported
│   ├── PersistedQueryNotFound
│   ├── DocumentNotTrusted
│   ├── RenderQuotaExceeded
│   ├── RenderServiceNotConfigured
│   ├── RenderNotFound
│   ├── BatchNotFound
│   ├── RenderNotComplete
│   ├── RenderNotFinished
│   ├── RenderAlreadyFinished
│   ├── RenderNotRetryable
│   └── OutputGone
├── Unavailable              a dependency is unavailable; the same call may work later
│   ├── StoreUnavailable
│   ├── PubSubUnavailable
│   ├── BackendUnavailable
│   └── IssuerUnavailable
├── StartRejected             the backend started nothing, and may accept the render later
├── StartImpossible          the backend started nothing, and a retry would not help
├── StartUncertain           the backend may have started it; it must not be started again
├── LeaseLost                another worker has the render's lease
└── IllegalChange            a bug: a state change that the render's status doesn't allow
"""

from collections.abc import Sequence
from dataclasses import dataclass

from services.errors.base import RendercastError, StartupError, Unavailable, UserError
from services.errors.callers import (
    IssuerUnavailable,
    NotAllowed,
    RenderTokenForbidden,
    RenderTokensNotConfigured,
    TokenExpired,
    TokenInvalid,
    Unauthenticated,
)
from services.errors.persisted_documents import DocumentNotTrusted, PersistedQueryNotFound, PersistedQueryNotSupported
from services.models import Failure, Quota, Render

__all__ = [  # the classes of the other modules; those below need not be listed
    "DocumentNotTrusted",
    "IssuerUnavailable",
    "NotAllowed",
    "PersistedQueryNotFound",
    "PersistedQueryNotSupported",
    "RenderTokenForbidden",
    "RenderTokensNotConfigured",
    "RendercastError",
    "StartupError",
    "TokenExpired",
    "TokenInvalid",
    "Unauthenticated",
    "Unavailable",
    "UserError",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A problem with one input field. `field` is its GraphQL name."""

    field: str
    message: str


class InvalidAnimation(UserError):
    """The input of a start is invalid; the start uses no quota. `problems` is never empty."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(" ".join(problem.message for problem in self.problems))


@dataclass(frozen=True, slots=True, kw_only=True)
class PathProblem:
    """A problem at one place of the input. `path` is a JSON Pointer (RFC 6901) from the mutation's `input`."""

    path: str
    message: str


class InvalidInput(UserError):
    """The input of a start is invalid; the start uses no quota. `problems` is never empty."""

    def __init__(self, problems: Sequence[PathProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__(" ".join(problem.message for problem in self.problems))


class IdempotencyKeyReused(UserError):
    """The caller used the idempotency key before, with another input. `render` is the render of that call."""

    def __init__(self, render: Render) -> None:
        self.render = render
        super().__init__(
            "This idempotency key was used before, with another input. Use a new key for each render, and the same key "
            "only to repeat the same input."
        )


class InvalidArgument(UserError):
    """An argument other than a start's input is invalid."""

    def __init__(self, field: str, message: str) -> None:
        self.field = field
        super().__init__(message)


class LimitExceeded(UserError):
    """A request exceeds a size limit, or a caller's requests exceed a rate limit. The message names the limit."""

    code = "LIMIT_EXCEEDED"


class ExecutionTimeout(UserError):
    """A request was stopped because it exceeded its time limit. A mutation may have taken effect."""

    code = "TIMEOUT"

    def __init__(self, limit_s: float) -> None:
        super().__init__(
            f"This took longer than {limit_s:g} seconds and was stopped. Try again later or request less. "
            "If it was a change, check first whether it was made."
        )


class RenderQuotaExceeded(UserError):
    """The current window of the caller's quota has fewer than the `wanted` units."""

    code = "LIMIT_EXCEEDED"

    def __init__(self, quota: Quota, *, wanted: int = 1) -> None:
        self.quota = quota
        window = _window_in_words(int(quota.window.total_seconds()))
        videos = "video" if quota.limit == 1 else "videos"
        advice = f"Start {quota.remaining} or fewer now, or" if 0 < quota.remaining < wanted else "Please"
        super().__init__(
            f"Render quota exceeded. You can render up to {quota.limit} {videos} per {window}. "
            f"{advice} try again later."
        )


class RenderServiceNotConfigured(UserError):
    """This deployment has no renderer. The log names the missing setting."""

    code = "SERVICE_UNAVAILABLE"

    def __init__(self) -> None:
        super().__init__("Render service not configured. Please contact support.")


class RenderNotFound(UserError):
    """No render has this id, or it is another user's. Callers can't distinguish the two."""

    code = "NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("Render not found")


class BatchNotFound(UserError):
    """The caller has no render with this batch id."""

    code = "NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("You have no renders with this batch id.")


class RenderNotComplete(UserError):
    """The render has no output because it is not COMPLETE."""

    def __init__(self, render: Render) -> None:
        self.render = render
        super().__init__("Render not complete")


class RenderNotFinished(UserError):
    """The render has not ended, so it can't be deleted."""

    def __init__(self, render: Render) -> None:
        self.render = render
        super().__init__("This render has not ended. Cancel it first, then delete it.")


class RenderAlreadyFinished(UserError):
    """The render has ended, so it can't be cancelled."""

    def __init__(self, render: Render) -> None:
        self.render = render
        super().__init__(f"This render has already ended: it is {render.status}.")


class RenderNotRetryable(UserError):
    """Only a FAILED or CANCELLED render can be retried."""

    def __init__(self, render: Render) -> None:
        self.render = render
        super().__init__(
            f"Only a failed or cancelled render can be retried; this one is {render.status}. "
            "Start a new render with startRender."
        )


class OutputGone(UserError):
    """The render is COMPLETE, but its output has been removed from storage."""

    def __init__(self) -> None:
        super().__init__("The output is no longer stored. Render it again with startRender.")


class StoreUnavailable(Unavailable):
    """The store can't be read or written now. If the response was lost, a write may have taken effect."""


class PubSubUnavailable(Unavailable):
    """Messages can't be published or received now."""


class BackendUnavailable(Unavailable):
    """The backend can't be reached, or did not report a render's state or its compositions. Renders may be running.

    `failure` is stored with the render if the backend is still unavailable after the attempt's time limit.
    """

    def __init__(self, message: str, *, failure: Failure | None = None) -> None:
        self.failure = failure
        super().__init__(message)


class StartRejected(RendercastError):
    """The backend certainly started nothing, and may accept the render later."""


class StartImpossible(RendercastError):
    """The backend certainly started nothing, and a retry would not help. `failure` says what to change."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(failure.detail or failure.message)


class StartUncertain(RendercastError):
    """The backend's response was lost: an attempt may be running. It must be stopped before another one is started."""


class LeaseLost(RendercastError):
    """Another worker has the render's lease, or the render was deleted; this worker must not change it."""


class IllegalChange(RendercastError):
    """A state change that the render's status doesn't allow: a bug in the caller."""

    def __init__(self, change: str, status: str) -> None:
        super().__init__(f"can't {change} a render that is {status}")


def _window_in_words(seconds: int) -> str:
    for length, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")):
        if seconds % length == 0:
            count = seconds // length
            return unit if count == 1 else f"{count} {unit}s"
    raise AssertionError(seconds)
