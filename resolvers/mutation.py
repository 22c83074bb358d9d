"""The Mutation root."""

from typing import Annotated

import strawberry

from resolvers.context import Info
from schema import results
from schema.inputs import StartRenderInput
from schema.render import Render, RenderQuota
from services import errors, models
from services.renders.service import RenderService

RenderId = Annotated[strawberry.ID, strawberry.argument(description="The id of one of your renders.")]


@strawberry.type(description="What can be changed. Read `__typename` of each answer, or ask for `... on UserError`.")
class Mutation:
    @strawberry.mutation(description="Queue a render for one unit of your quota. Answers at once; then watch it.")
    async def start_render(
        self,
        info: Info,
        input: Annotated[StartRenderInput, strawberry.argument(description="What to render.")],  # noqa: A002
    ) -> results.StartRenderResult:
        """Start a render."""
        renders = info.context.services.renders
        try:
            started = await renders.start(
                info.context.caller,
                input.animation_props.to_model(),
                generation_id=input.generation_id,
                idempotency_key=input.idempotency_key,
            )
        except errors.InvalidAnimation as error:
            return results.InvalidAnimation.from_error(error)
        except errors.RenderQuotaExceeded as error:
            return results.RenderQuotaExceeded.from_error(error)
        except errors.RenderServiceNotConfigured as error:
            return results.RenderServiceNotConfigured(message=str(error))
        return _started(started, renders)

    @strawberry.mutation(description="Get a fresh URL of a COMPLETE render's video, after checking that it is there.")
    async def refresh_download_url(self, info: Info, render_id: RenderId) -> results.RefreshDownloadUrlResult:
        """Sign a URL anew."""
        renders = info.context.services.renders
        try:
            render, download = await renders.download(info.context.caller, render_id)
        except errors.RenderNotFound as error:
            return results.RenderNotFound(message=str(error))
        except errors.RenderNotComplete as error:
            return results.RenderNotComplete(message=str(error), render=Render.from_model(error.render, renders))
        except errors.OutputGone as error:
            return results.OutputGone(message=str(error))
        except errors.RenderServiceNotConfigured as error:
            return results.RenderServiceNotConfigured(message=str(error))
        return results.DownloadUrl(
            url=download.url, expires_at=download.expires_at, render=Render.from_model(render, renders)
        )

    @strawberry.mutation(
        description=(
            "Cancel a render that has not ended. One that never began costs no quota. "
            "One that is RENDERING is stopped by its worker within about a second."
        )
    )
    async def cancel_render(self, info: Info, render_id: RenderId) -> results.CancelRenderResult:
        """Cancel a render."""
        renders = info.context.services.renders
        try:
            render = await renders.cancel(info.context.caller, render_id)
        except errors.RenderNotFound as error:
            return results.RenderNotFound(message=str(error))
        except errors.RenderAlreadyFinished as error:
            return results.RenderAlreadyFinished(message=str(error), render=Render.from_model(error.render, renders))
        return results.CancelRenderSuccess(render=Render.from_model(render, renders))

    @strawberry.mutation(
        description=(
            "Start a FAILED or CANCELLED render anew, as a new render with the same props, for one unit of quota. "
            "Asking again for the same render returns the render that the first call started."
        )
    )
    async def retry_render(self, info: Info, render_id: RenderId) -> results.RetryRenderResult:
        """Start a render anew."""
        renders = info.context.services.renders
        try:
            started = await renders.retry(info.context.caller, render_id)
        except errors.RenderNotFound as error:
            return results.RenderNotFound(message=str(error))
        except errors.RenderNotRetryable as error:
            return results.RenderNotRetryable(message=str(error), render=Render.from_model(error.render, renders))
        except errors.RenderQuotaExceeded as error:
            return results.RenderQuotaExceeded.from_error(error)
        except errors.RenderServiceNotConfigured as error:
            return results.RenderServiceNotConfigured(message=str(error))
        return _started(started, renders)

    @strawberry.mutation(description="Remove a render that has ended, and its video. Gives no quota back.")
    async def delete_render(self, info: Info, render_id: RenderId) -> results.DeleteRenderResult:
        """Delete a render."""
        renders = info.context.services.renders
        try:
            await renders.delete(info.context.caller, render_id)
        except errors.RenderNotFound as error:
            return results.RenderNotFound(message=str(error))
        except errors.RenderNotFinished as error:
            return results.RenderNotFinished(message=str(error), render=Render.from_model(error.render, renders))
        return results.DeleteRenderSuccess(render_id=render_id)


def _started(started: models.StartResult, renders: RenderService) -> results.StartRenderSuccess:
    return results.StartRenderSuccess(
        render=Render.from_model(started.render, renders),
        quota=RenderQuota.from_model(started.quota),
        duplicate=started.duplicate,
    )
