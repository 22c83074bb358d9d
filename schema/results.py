"""What mutations answer: on success a payload, else a `UserError` that says what the user can do."""

from datetime import datetime
from typing import Annotated

import strawberry

from schema.render import Render, RenderQuota
from services import errors


@strawberry.interface(description="Something the user can mend. Ask for `... on UserError { message }` to cover all.")
class UserError:
    message: str = strawberry.field(description="A sentence to show, which says what to do.")


@strawberry.type(description="The render is queued.")
class StartRenderSuccess:
    render: Render = strawberry.field(description="The render; watch it with `renderProgress`.")
    quota: RenderQuota = strawberry.field(description="What is left after this start.")
    duplicate: bool = strawberry.field(
        description="True if this call started nothing, because the render was started by an earlier one."
    )


@strawberry.type(description="No render can be started before the quota resets.")
class RenderQuotaExceeded(UserError):
    quota: RenderQuota = strawberry.field(description="The quota, with `remaining` 0.")
    retry_after_seconds: int = strawberry.field(description="Seconds until a render can be started, at least 1.")

    @classmethod
    def from_error(cls, error: errors.RenderQuotaExceeded) -> "RenderQuotaExceeded":
        """Return the error as data."""
        return cls(
            message=str(error), quota=RenderQuota.from_model(error.quota), retry_after_seconds=error.retry_after_s
        )


@strawberry.type(description="What is wrong with one field of the input.")
class InputProblem:
    field: str = strawberry.field(description="Name of the field, such as `fontSize`.")
    message: str = strawberry.field(description="A sentence that says what is accepted.")


@strawberry.type(description="The input can't be rendered. Nothing was started and no quota was used.")
class InvalidAnimation(UserError):
    problems: list[InputProblem] = strawberry.field(description="Every problem there is, at least one.")

    @classmethod
    def from_error(cls, error: errors.InvalidAnimation) -> "InvalidAnimation":
        """Return the error as data."""
        problems = [InputProblem(field=problem.field, message=problem.message) for problem in error.problems]
        return cls(message=str(error), problems=problems)


@strawberry.type(description="This server has no renderer. Only its operator can mend that.")
class RenderServiceNotConfigured(UserError):
    pass


@strawberry.type(description="You have no render with this id.")
class RenderNotFound(UserError):
    pass


@strawberry.type(description="The render has no video, or not yet.")
class RenderNotComplete(UserError):
    render: Render = strawberry.field(description="The render as it is.")


@strawberry.type(description="The render still runs.")
class RenderNotFinished(UserError):
    render: Render = strawberry.field(description="The render as it is.")


@strawberry.type(description="The render has ended already.")
class RenderAlreadyFinished(UserError):
    render: Render = strawberry.field(description="The render as it is.")


@strawberry.type(description="Only FAILED and CANCELLED renders can be tried again.")
class RenderNotRetryable(UserError):
    render: Render = strawberry.field(description="The render as it is.")


@strawberry.type(description="The video has been removed from storage.")
class OutputGone(UserError):
    pass


@strawberry.type(description="A fresh URL of a video.")
class DownloadUrl:
    url: str = strawberry.field(description="Serves the MP4 to whoever has it, until `expiresAt`.")
    expires_at: datetime = strawberry.field(description="When it stops working.")
    render: Render = strawberry.field(description="The render the video belongs to.")


@strawberry.type(description="The render is cancelled, or its worker has been asked to stop it.")
class CancelRenderSuccess:
    render: Render = strawberry.field(
        description=(
            "CANCELLED, or still RENDERING with `cancelRequested`; `renderProgress` tells the end, "
            "which is COMPLETE if the video was done before its worker heard."
        )
    )


@strawberry.type(description="The render and its video are removed.")
class DeleteRenderSuccess:
    render_id: strawberry.ID = strawberry.field(description="The id, which no longer exists.")


StartRenderResult = Annotated[
    StartRenderSuccess | RenderQuotaExceeded | InvalidAnimation | RenderServiceNotConfigured,
    strawberry.union("StartRenderResult", description="What `startRender` answers."),
]
RefreshDownloadUrlResult = Annotated[
    DownloadUrl | RenderNotFound | RenderNotComplete | OutputGone | RenderServiceNotConfigured,
    strawberry.union("RefreshDownloadUrlResult", description="What `refreshDownloadUrl` answers."),
]
CancelRenderResult = Annotated[
    CancelRenderSuccess | RenderNotFound | RenderAlreadyFinished,
    strawberry.union("CancelRenderResult", description="What `cancelRender` answers."),
]
RetryRenderResult = Annotated[
    StartRenderSuccess | RenderNotFound | RenderNotRetryable | RenderQuotaExceeded | RenderServiceNotConfigured,
    strawberry.union("RetryRenderResult", description="What `retryRender` answers; on success, a new render."),
]
DeleteRenderResult = Annotated[
    DeleteRenderSuccess | RenderNotFound | RenderNotFinished,
    strawberry.union("DeleteRenderResult", description="What `deleteRender` answers."),
]
