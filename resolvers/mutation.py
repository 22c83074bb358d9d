"""The Mutation root."""

from typing import Annotated

import strawberry

from resolvers.admission.mutation_rate import limiter_of
from resolvers.context import Info
from schema import batch, results
from schema.inputs import StartRenderInput
from schema.limits import RenderQuota
from schema.render import Render, RenderLoader
from services import errors, models

RenderId = Annotated[strawberry.ID, strawberry.argument(description="The id of one of your renders.")]

BatchId = Annotated[strawberry.ID, strawberry.argument(description="The id of one of your batches.")]

ExpiresInSeconds = Annotated[
    int, strawberry.argument(description="How long the token is valid, 1 to 604800 seconds (7 days).")
]


@strawberry.type(description="Write operations. Check `__typename` of each result, or select `... on UserError`.")
class Mutation:
    @strawberry.mutation(
        description=(
            "Queue a render and return it immediately. Uses one unit of your quota. Follow the render with "
            "`renderProgress`."
        )
    )
    async def start_render(
        self,
        info: Info,
        input: Annotated[StartRenderInput, strawberry.argument(description="The render to start.")],  # noqa: A002
    ) -> results.StartRenderResult:
        """Start a render."""
        caller, renders, loader = info.context.caller, info.context.services.renders, info.context.render_loader
        try:
            started = await renders.start(caller, input.to_model())
        except errors.InvalidAnimation as error:
            return results.InvalidAnimation.from_error(error)
        except errors.InvalidInput as error:
            return results.InvalidInput.from_error(error)
        except errors.IdempotencyKeyReused as error:
            return results.IdempotencyKeyReused(message=str(error), render=Render.from_model(error.render, loader))
        except errors.RenderQuotaExceeded as error:
            return results.RenderQuotaExceeded.from_error(error)
        except errors.RenderServiceNotConfigured as error:
            return results.RenderServiceNotConfigured(message=str(error))
        return _started(started, loader)

    @strawberry.mutation(
        description=(
            "Queue up to 100 renders as a batch, or none of them: all are validated first, and each uses one unit of "
            "your quota. `checkRenders` only validates. Each ten renders count as one mutation of the rate limit. "
            "Follow the batch with `batchProgress`."
        )
    )
    async def start_renders(
        self,
        info: Info,
        input: Annotated[  # noqa: A002
            batch.StartRendersInput, strawberry.argument(description="The renders to start.")
        ],
    ) -> batch.StartRendersResult:
        """Start renders."""
        caller, loader = info.context.caller, info.context.render_loader
        limiter, number, now_s = limiter_of(info), len(input.renders), info.context.services.clock.monotonic()
        limiter.admit_renders(caller.limit_key, number, now_s=now_s)
        try:
            started = await info.context.services.batches.start(caller, input.to_model())
        except errors.InvalidInput as error:
            return results.InvalidInput.from_error(error)
        except errors.IdempotencyKeyReused as error:
            return results.IdempotencyKeyReused(message=str(error), render=Render.from_model(error.render, loader))
        except errors.RenderQuotaExceeded as error:
            return results.RenderQuotaExceeded.from_error(error)
        except errors.RenderServiceNotConfigured as error:
            return results.RenderServiceNotConfigured(message=str(error))
        limiter.forget_renders(caller.limit_key, number, duplicates=started.duplicates)
        await info.context.turn()  # a large result takes milliseconds to complete
        return batch.StartRendersSuccess.from_model(started, loader)

    @strawberry.mutation(
        description=(
            "Cancel all renders of a batch that have not ended: those that are QUEUED at once, the others within about "
            "a second. Renders that are started during the call may go on."
        )
    )
    async def cancel_batch(self, info: Info, batch_id: BatchId) -> batch.CancelBatchResult:
        """Cancel a batch."""
        caller, loader = info.context.caller, info.context.render_loader
        try:
            cancellation, progress = await info.context.services.batches.cancel(caller, batch_id)
        except errors.BatchNotFound as error:
            return batch.BatchNotFound(message=str(error))
        return batch.CancelBatchSuccess.from_model(cancellation, progress, loader)

    @strawberry.mutation(
        description="Return a new signed URL of a COMPLETE render's output, after checking that it is still stored."
    )
    async def refresh_download_url(self, info: Info, render_id: RenderId) -> results.RefreshDownloadUrlResult:
        """Return a new URL."""
        caller, renders, loader = info.context.caller, info.context.services.renders, info.context.render_loader
        try:
            render, download = await renders.download(caller, render_id)
        except errors.RenderNotFound as error:
            return results.RenderNotFound(message=str(error))
        except errors.RenderNotComplete as error:
            return results.RenderNotComplete(message=str(error), render=Render.from_model(error.render, loader))
        except errors.OutputGone as error:
            return results.OutputGone(message=str(error))
        except errors.RenderServiceNotConfigured as error:
            return results.RenderServiceNotConfigured(message=str(error))
        return results.DownloadUrl(
            url=download.url, expires_at=download.expires_at, render=Render.from_model(render, loader)
        )

    @strawberry.mutation(
        description=(
            "Cancel a render that has not ended. A render that was never passed to the renderer uses no quota. "
            "A RENDERING render is stopped by its worker within about a second."
        )
    )
    async def cancel_render(self, info: Info, render_id: RenderId) -> results.CancelRenderResult:
        """Cancel a render."""
        caller, renders, loader = info.context.caller, info.context.services.renders, info.context.render_loader
        try:
            render = await renders.cancel(caller, render_id)
        except errors.RenderNotFound as error:
            return results.RenderNotFound(message=str(error))
        except errors.RenderAlreadyFinished as error:
            return results.RenderAlreadyFinished(message=str(error), render=Render.from_model(error.render, loader))
        return results.CancelRenderSuccess(render=Render.from_model(render, loader))

    @strawberry.mutation(
        description=(
            "Start a new render with the input of a FAILED or CANCELLED render. Uses one unit of your quota. "
            "A second call for the same render returns the render that the first call started."
        )
    )
    async def retry_render(self, info: Info, render_id: RenderId) -> results.RetryRenderResult:
        """Retry a render."""
        caller, renders, loader = info.context.caller, info.context.services.renders, info.context.render_loader
        try:
            started = await renders.retry(caller, render_id)
        except errors.RenderNotFound as error:
            return results.RenderNotFound(message=str(error))
        except errors.RenderNotRetryable as error:
            return results.RenderNotRetryable(message=str(error), render=Render.from_model(error.render, loader))
        except errors.RenderQuotaExceeded as error:
            return results.RenderQuotaExceeded.from_error(error)
        except errors.RenderServiceNotConfigured as error:
            return results.RenderServiceNotConfigured(message=str(error))
        return _started(started, loader)

    @strawberry.mutation(description="Delete a render that has ended, and its output. Does not return quota.")
    async def delete_render(self, info: Info, render_id: RenderId) -> results.DeleteRenderResult:
        """Delete a render."""
        caller, renders, loader = info.context.caller, info.context.services.renders, info.context.render_loader
        try:
            await renders.delete(caller, render_id)
        except errors.RenderNotFound as error:
            return results.RenderNotFound(message=str(error))
        except errors.RenderNotFinished as error:
            return results.RenderNotFinished(message=str(error), render=Render.from_model(error.render, loader))
        return results.DeleteRenderSuccess(render_id=render_id)

    @strawberry.mutation(
        description=(
            "Return a token for one of your renders. Anyone who has it can watch and download this render, and nothing "
            "else. So a page that only shows a render needs no user token. It is valid until it expires or the render "
            "is deleted."
        )
    )
    async def render_token(
        self, info: Info, render_id: RenderId, expires_in_seconds: ExpiresInSeconds = 3600
    ) -> results.RenderTokenResult:
        """Return a token."""
        caller, renders, loader = info.context.caller, info.context.services.renders, info.context.render_loader
        try:
            made = await renders.make_token(caller, render_id, expires_in_s=expires_in_seconds)
        except errors.RenderNotFound as error:
            return results.RenderNotFound(message=str(error))
        except errors.RenderTokensNotConfigured as error:
            return results.RenderTokensNotConfigured(message=str(error))
        return results.RenderToken(
            token=made.token, expires_at=made.expires_at, render=Render.from_model(made.render, loader)
        )


def _started(started: models.StartResult, loader: RenderLoader) -> results.StartRenderSuccess:
    return results.StartRenderSuccess(
        render=Render.from_model(started.render, loader),
        quota=RenderQuota.from_model(started.quota),
        duplicate=started.duplicate,
    )
