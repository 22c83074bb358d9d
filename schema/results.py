"""Results of mutations: unions of one success type and the errors that a user can act on."""

from datetime import datetime
from typing import Annotated

import strawberry

from schema.limits import RenderQuota
from schema.render import Render
from services import errors


@strawberry.interface(
    description="An error that the user can act on. Select `... on UserError { message }` to handle all of them."
)
class UserError:
    message: str = strawberry.field(description="A message for users that says what to do.")


@strawberry.type(description="The render is queued.")
class StartRenderSuccess:
    render: Render = strawberry.field(description="The render. Follow it with `renderProgress`.")
    quota: RenderQuota = strawberry.field(description="Your quota after this start.")
    duplicate: bool = strawberry.field(
        description="True if an earlier call started the render and this call started none."
    )


@strawberry.type(
    description="The quota is used up, or has fewer units left than `startRenders` has renders. None was started."
)
class RenderQuotaExceeded(UserError):
    quota: RenderQuota = strawberry.field(description="Your quota. `remaining` is 0, except for `startRenders`.")
    retry_after_seconds: int = strawberry.field(description="Seconds until the quota resets, at least 1.")

    @classmethod
    def from_error(cls, error: errors.RenderQuotaExceeded) -> "RenderQuotaExceeded":
        """Return the GraphQL object of the error."""
        return cls(
            message=str(error),
            quota=RenderQuota.from_model(error.quota),
            retry_after_seconds=error.quota.resets_in_s,
        )


@strawberry.type(description="A problem with one field of the input.")
class InputProblem:
    field: str = strawberry.field(description="Name of the field, such as `fontSize`.")
    message: str = strawberry.field(description="A message that says what is accepted.")


@strawberry.type(description="The animation is invalid. No render was started and no quota was used.")
class InvalidAnimation(UserError):
    problems: list[InputProblem] = strawberry.field(description="All problems of the input, at least one.")

    @classmethod
    def from_error(cls, error: errors.InvalidAnimation) -> "InvalidAnimation":
        """Return the GraphQL object of the error."""
        problems = [InputProblem(field=problem.field, message=problem.message) for problem in error.problems]
        return cls(message=str(error), problems=problems)


@strawberry.type(description="A problem at one place of the input.")
class InputPathProblem:
    path: str = strawberry.field(
        description="JSON Pointer (RFC 6901) from the mutation's `input`, such as `/composition/props/scenes/0/title`; "
        "of `checkRenders`, from its arguments."
    )
    message: str = strawberry.field(description="A message that says what is accepted.")


@strawberry.type(
    description="The input of a composition or an output is invalid. No render was started and no quota was used."
)
class InvalidInput(UserError):
    problems: list[InputPathProblem] = strawberry.field(description="All problems of the input, at least one.")

    @classmethod
    def from_error(cls, error: errors.InvalidInput) -> "InvalidInput":
        """Return the GraphQL object of the error."""
        problems = [InputPathProblem(path=problem.path, message=problem.message) for problem in error.problems]
        return cls(message=str(error), problems=problems)


@strawberry.type(description="You used the idempotency key before, with another input. No render was started.")
class IdempotencyKeyReused(UserError):
    render: Render = strawberry.field(description="The render that was started with this key.")


@strawberry.type(description="This server has no renderer. Only its operator can configure one.")
class RenderServiceNotConfigured(UserError):
    pass


@strawberry.type(description="You have no render with this id.")
class RenderNotFound(UserError):
    pass


@strawberry.type(description="The render has no output: it is not COMPLETE.")
class RenderNotComplete(UserError):
    render: Render = strawberry.field(description="The render in its current state.")


@strawberry.type(description="The render has not ended yet.")
class RenderNotFinished(UserError):
    render: Render = strawberry.field(description="The render in its current state.")


@strawberry.type(description="The render has already ended.")
class RenderAlreadyFinished(UserError):
    render: Render = strawberry.field(description="The render in its current state.")


@strawberry.type(description="Only FAILED and CANCELLED renders can be retried.")
class RenderNotRetryable(UserError):
    render: Render = strawberry.field(description="The render in its current state.")


@strawberry.type(description="The output has been removed from storage.")
class OutputGone(UserError):
    pass


@strawberry.type(description="A new signed URL of an output.")
class DownloadUrl:
    url: str = strawberry.field(description="Signed URL of the file, valid until `expiresAt`. Needs no credentials.")
    expires_at: datetime = strawberry.field(description="When the URL expires.")
    render: Render = strawberry.field(description="The render of the output.")


@strawberry.type(description="The render is cancelled, or its worker has been notified to cancel it.")
class CancelRenderSuccess:
    render: Render = strawberry.field(
        description=(
            "CANCELLED, or still RENDERING with `cancelRequested`. `renderProgress` reports the final status, "
            "which is COMPLETE if the output was finished before the worker received the request."
        )
    )


@strawberry.type(description="The render and its output are deleted.")
class DeleteRenderSuccess:
    render_id: strawberry.ID = strawberry.field(description="The id of the deleted render.")


@strawberry.type(description="A token that gives access to one render.")
class RenderToken:
    token: str = strawberry.field(
        description="The token. Send it as a user's: in the header `Authorization: Bearer …` or in `connection_init`."
    )
    expires_at: datetime = strawberry.field(description="When it expires.")
    render: Render = strawberry.field(description="The render.")


@strawberry.type(description="This server has no render tokens. Only its operator can configure them.")
class RenderTokensNotConfigured(UserError):
    pass


StartRenderResult = Annotated[
    StartRenderSuccess
    | RenderQuotaExceeded
    | InvalidAnimation
    | InvalidInput
    | IdempotencyKeyReused
    | RenderServiceNotConfigured,
    strawberry.union("StartRenderResult", description="Result of `startRender`."),
]
RefreshDownloadUrlResult = Annotated[
    DownloadUrl | RenderNotFound | RenderNotComplete | OutputGone | RenderServiceNotConfigured,
    strawberry.union("RefreshDownloadUrlResult", description="Result of `refreshDownloadUrl`."),
]
CancelRenderResult = Annotated[
    CancelRenderSuccess | RenderNotFound | RenderAlreadyFinished,
    strawberry.union("CancelRenderResult", description="Result of `cancelRender`."),
]
RetryRenderResult = Annotated[
    StartRenderSuccess | RenderNotFound | RenderNotRetryable | RenderQuotaExceeded | RenderServiceNotConfigured,
    strawberry.union("RetryRenderResult", description="Result of `retryRender`. On success, it contains a new render."),
]
DeleteRenderResult = Annotated[
    DeleteRenderSuccess | RenderNotFound | RenderNotFinished,
    strawberry.union("DeleteRenderResult", description="Result of `deleteRender`."),
]
RenderTokenResult = Annotated[
    RenderToken | RenderNotFound | RenderTokensNotConfigured,
    strawberry.union("RenderTokenResult", description="Result of `renderToken`."),
]
