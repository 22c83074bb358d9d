"""The error types of the schema: those that implement `UserError`. A class has the name and the fields of its type."""

import re
from typing import ClassVar

from rendercast.client.errors import RendercastError, UnexpectedResponse
from rendercast.client.reading import Json, read, selection
from rendercast.client.results import InputPathProblem, InputProblem, Render, RenderQuota

RENDER = "render { ...Render }"


class UserError(RendercastError):
    """The request was rejected for a reason that the user can act on.

    `code` is the name of the type in upper snake case, such as RENDER_QUOTA_EXCEEDED. `raw` is the object from the
    response. Types that a newer server has and this package lacks are `UserError`s.
    """

    fields: ClassVar[str] = ""  # the GraphQL selection, besides `message`

    def __init__(self, raw: Json) -> None:
        super().__init__(raw)
        self.raw = raw
        name = type(self).__name__ if type(self) is not UserError else str(raw.get("__typename", "UserError"))
        self.code = re.sub(r"(?<!^)(?=[A-Z])", "_", name).upper()

    def __str__(self) -> str:
        return str(self.raw.get("message") or self.code)


class _RenderError(UserError):
    """An error about a render, which it contains in its current state."""

    fields = RENDER

    def __init__(self, raw: Json) -> None:
        super().__init__(raw)
        self.render = read(Render, raw["render"])


class InvalidAnimation(UserError):
    """The animation is invalid. Nothing was started and no quota was used. `problems` has all problems."""

    fields = f"problems {{ {selection(InputProblem)} }}"

    def __init__(self, raw: Json) -> None:
        super().__init__(raw)
        self.problems = tuple(read(InputProblem, each) for each in raw["problems"])

    def __str__(self) -> str:
        return "\n".join(each.message for each in self.problems)


class InvalidInput(UserError):
    """The composition, its props or the output is invalid. Nothing was started and no quota was used.

    `problems` has all problems.
    """

    fields = f"problems {{ {selection(InputPathProblem)} }}"

    def __init__(self, raw: Json) -> None:
        super().__init__(raw)
        self.problems = tuple(read(InputPathProblem, each) for each in raw["problems"])

    def __str__(self) -> str:
        return "\n".join(["The input is not valid.", *(f"{each.path}: {each.message}" for each in self.problems)])


class RenderQuotaExceeded(UserError):
    """The quota is used up, or has fewer units left than `batch` has renders. Nothing was started.

    The quota resets after `retry_after_seconds`, at least 1.
    """

    fields = f"retryAfterSeconds quota {{ {selection(RenderQuota)} }}"

    def __init__(self, raw: Json) -> None:
        super().__init__(raw)
        self.quota = read(RenderQuota, raw["quota"])
        self.retry_after_seconds = int(raw["retryAfterSeconds"])


class IdempotencyKeyReused(_RenderError):
    """The key was used before, with another input. Nothing was started. `render` was started with the key."""


class RenderServiceNotConfigured(UserError):
    """This server has no renderer. Only its operator can configure one."""


class RenderTokensNotConfigured(UserError):
    """This server has no render tokens. Only its operator can configure them."""


class RenderNotFound(UserError):
    """You have no render with this id."""


class BatchNotFound(UserError):
    """You have no renders with this batch id."""


class RenderAlreadyFinished(_RenderError):
    """The render has already ended."""


class RenderNotFinished(_RenderError):
    """The render has not ended yet."""


class RenderNotComplete(_RenderError):
    """The render has no output: it is not COMPLETE."""


class RenderNotRetryable(_RenderError):
    """Only FAILED and CANCELLED renders can be retried."""


class OutputGone(UserError):
    """The output has been removed from storage."""


USER_ERRORS = {
    each.__name__: each
    for base in (UserError, _RenderError)
    for each in base.__subclasses__()
    if not each.__name__.startswith("_")
}


def user_error(result: Json) -> UserError:
    """Return the error for a mutation's result that is not a success. Raises `UnexpectedResponse`."""
    try:
        return USER_ERRORS.get(result["__typename"], UserError)(result)
    except (KeyError, TypeError, ValueError) as error:
        raise UnexpectedResponse(error) from error
