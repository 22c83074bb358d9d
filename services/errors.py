"""Every error the services raise.

RendercastError
├── StartupError             the process can't start; the message says what to mend
├── UserError                the caller can do something about it
│   ├── Unauthenticated
│   │   ├── TokenExpired
│   │   └── TokenInvalid
│   ├── InvalidAnimation
│   ├── InvalidArgument
│   ├── NotAllowed
│   ├── LimitExceeded
│   ├── TookTooLong
│   ├── RenderQuotaExceeded
│   ├── RenderServiceNotConfigured
│   ├── RenderNotFound
│   ├── RenderNotComplete
│   ├── RenderNotFinished
│   ├── RenderAlreadyFinished
│   ├── RenderNotRetryable
│   └── OutputGone
├── Unavailable              something we depend on is away; it may come back
│   ├── StoreUnavailable
│   ├── PubSubUnavailable
│   ├── BackendUnavailable
│   └── IssuerUnavailable
├── StartRefused             the backend certainly ran nothing; it may take the render later
├── StartImpossible          the backend certainly ran nothing, and will not as things stand
├── StartUncertain           the backend may be running it; it must not be started again
├── LeaseLost                another worker carries the render now
└── IllegalChange            a bug: a state change the render's life does not have
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from services.models import Failure, Quota, Render


class RendercastError(Exception):
    """The root. `code` is stable and may be shown to clients where the class is one of theirs."""

    code: ClassVar[str] = "INTERNAL"


class StartupError(RendercastError):
    """The process can't start. The message is one sentence that says what to mend."""


class UserError(RendercastError):
    """The caller can do something about it; the message says what."""

    code = "BAD_USER_INPUT"


class Unauthenticated(UserError):
    """Nobody is known to be calling."""

    code = "UNAUTHENTICATED"

    def __init__(self, message: str = "Sign in to do this.") -> None:
        super().__init__(message)


class TokenExpired(Unauthenticated):
    """The caller's token was good once."""

    def __init__(self) -> None:
        super().__init__("Your session has expired. Sign in again.")


class TokenInvalid(Unauthenticated):
    """What the caller sent is no token that is good here; why is nobody's business."""

    def __init__(self) -> None:
        super().__init__("Your sign-in is not valid here. Sign in again.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong with one input field, named as clients name it."""

    field: str
    message: str


class InvalidAnimation(UserError):
    """The input of a start can't be rendered. Costs no quota. `problems` is never empty."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(" ".join(problem.message for problem in self.problems))


class InvalidArgument(UserError):
    """An argument other than a start's input is wrong."""

    def __init__(self, field: str, message: str) -> None:
        self.field = field
        super().__init__(message)


class NotAllowed(UserError):
    """The caller asks for what only operators may have."""

    code = "FORBIDDEN"

    def __init__(self) -> None:
        super().__init__("Only operators may see everybody's renders. Ask for your own.")


class LimitExceeded(UserError):
    """A request is too much for one, or a caller's requests for their time. The message names the limit."""

    code = "LIMIT_EXCEEDED"


class TookTooLong(UserError):
    """A request was stopped in the middle."""

    code = "TIMEOUT"

    def __init__(self, limit_s: float) -> None:
        super().__init__(
            f"This took longer than {limit_s:g} seconds and was stopped. Try again later or ask for less; "
            "if it was to change something, look first whether it did."
        )


class RenderQuotaExceeded(UserError):
    """The caller has used the present window's quota. `retry_after_s` is at least 1."""

    code = "LIMIT_EXCEEDED"

    def __init__(self, quota: Quota, *, retry_after_s: int) -> None:
        self.quota = quota
        self.retry_after_s = retry_after_s
        window = _window_in_words(int(quota.window.total_seconds()))
        videos = "video" if quota.limit == 1 else "videos"
        super().__init__(
            f"Render quota exceeded. You can render up to {quota.limit} {videos} per {window}. Please try again later."
        )


class RenderServiceNotConfigured(UserError):
    """This deployment has no renderer. The log names the missing setting."""

    code = "SERVICE_UNAVAILABLE"

    def __init__(self) -> None:
        super().__init__("Render service not configured. Please contact support.")


class RenderNotFound(UserError):
    """There is no such render, or it is another user's; the two can't be told apart."""

    code = "NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("Render not found")


class RenderNotComplete(UserError):
    """The render has no output, or not yet."""

    def __init__(self, render: Render) -> None:
        self.render = render
        super().__init__("Render not complete")


class RenderNotFinished(UserError):
    """The render still runs, so it can't be deleted."""

    def __init__(self, render: Render) -> None:
        self.render = render
        super().__init__("This render has not finished. Cancel it first, then delete it.")


class RenderAlreadyFinished(UserError):
    """The render has ended, so it can't be cancelled."""

    def __init__(self, render: Render) -> None:
        self.render = render
        super().__init__(f"This render has already ended: it is {render.status}.")


class RenderNotRetryable(UserError):
    """Only a render that FAILED or was CANCELLED can be tried again."""

    def __init__(self, render: Render) -> None:
        self.render = render
        super().__init__(
            f"Only a failed or cancelled render can be tried again; this one is {render.status}. "
            "Use startRender for a new one."
        )


class OutputGone(UserError):
    """The render is COMPLETE, but its video has been removed from storage."""

    def __init__(self) -> None:
        super().__init__("The video is no longer stored. Render it again with startRender.")


class Unavailable(RendercastError):
    """Something the service depends on is away; the same call may work later."""

    code = "SERVICE_UNAVAILABLE"


class StoreUnavailable(Unavailable):
    """The job documents can't be read or written now. The call may have changed them if its answer was lost."""


class PubSubUnavailable(Unavailable):
    """Messages can't be published or listened for now."""


class BackendUnavailable(Unavailable):
    """The backend didn't say how a render stands. The render itself may be fine.

    `failure` is what its owner is told if that lasts until the deadline.
    """

    def __init__(self, message: str, *, failure: Failure | None = None) -> None:
        self.failure = failure
        super().__init__(message)


class IssuerUnavailable(Unavailable):
    """Nobody's token can be verified now: the issuer's keys were never read, and can't be."""

    def __init__(self) -> None:
        super().__init__("the issuer's keys have not been read yet")


class StartRefused(RendercastError):
    """The backend certainly ran nothing; it may take the render later."""


class StartImpossible(RendercastError):
    """The backend certainly ran nothing, and trying again would not help; `failure` says what to mend."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(failure.detail or failure.message)


class StartUncertain(RendercastError):
    """The backend's answer was lost: it may be running the render, which must not be started again."""


class LeaseLost(RendercastError):
    """Another worker carries the render now, or it is gone; this one must not touch it any more."""


class IllegalChange(RendercastError):
    """A state change that a render's life does not have: a bug in the caller."""

    def __init__(self, change: str, status: str) -> None:
        super().__init__(f"can't {change} a render that is {status}")


def _window_in_words(seconds: int) -> str:
    for length, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")):
        if seconds % length == 0:
            count = seconds // length
            return unit if count == 1 else f"{count} {unit}s"
    raise AssertionError(seconds)
