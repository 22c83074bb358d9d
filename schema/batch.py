"""GraphQL types of batches: the renders of a user with the same `batchId`."""

from datetime import datetime
from typing import Annotated

import strawberry

from schema.inputs import StartRenderInput
from schema.limits import RenderQuota
from schema.render import MAX_ITEMS, Render, RenderLoader
from schema.results import (
    IdempotencyKeyReused,
    InvalidInput,
    RenderQuotaExceeded,
    RenderServiceNotConfigured,
    UserError,
)
from services import models
from services.models import RenderStatus
from services.models.batches import MAX_ADDED, BatchCancellation
from services.models.batches import BatchProgress as BatchProgressModel
from services.renders.requests import BatchRequest


@strawberry.input(description="Renders to start together: all of them, or none.")
class StartRendersInput:
    renders: list[StartRenderInput] = strawberry.field(description=f"The renders to start, 1 to {MAX_ADDED}.")
    batch_id: strawberry.ID = strawberry.field(
        description="An id of your own for the batch, of at most 200 characters. A later call with the same id adds to "
        "the batch."
    )
    idempotency_key: str | None = strawberry.field(
        default=None,
        description=(
            "A unique text of at most 200 characters, a new one for each call. A second call with the same key returns "
            "the renders of the first call and uses no quota. Renders of the input that have a key of their own use "
            "that instead."
        ),
    )

    def to_model(self) -> BatchRequest:
        """Return the request, not yet validated."""
        return BatchRequest(
            batch_id=self.batch_id,
            renders=[each.to_model() for each in self.renders],
            idempotency_key=self.idempotency_key,
        )


@strawberry.type(
    description="The progress of a batch: how many of its renders have which status. Deleted renders do not count."
)
class BatchProgress:
    batch_id: strawberry.ID = strawberry.field(description="The id of the batch.")
    total: int = strawberry.field(description="Number of renders, at least 1.")
    queued: int = strawberry.field(description="Number of renders that are QUEUED.")
    rendering: int = strawberry.field(description="Number of renders that are RENDERING.")
    complete: int = strawberry.field(description="Number of renders that are COMPLETE.")
    failed: int = strawberry.field(description="Number of renders that FAILED.")
    cancelled: int = strawberry.field(description="Number of renders that were CANCELLED.")
    percent: int = strawberry.field(
        description=(
            "Mean progress in whole percent, 0 to 100, in which a render that has ended counts as 100. 100 only when "
            "all have ended. Decreases when renders are added."
        )
    )
    has_ended: bool = strawberry.field(
        description="Whether all renders have ended. A batch goes on when more renders are started with its id."
    )
    estimated_completion_at: datetime | None = strawberry.field(
        description="Estimated time at which the last render ends, at the speed of the latest ones; null while there "
        "is no estimate."
    )
    failures: list[Render] = strawberry.field(
        description="The first renders that FAILED, at most 10, oldest first. `renders` returns all with a filter."
    )

    model: strawberry.Private[BatchProgressModel]
    loader: strawberry.Private[RenderLoader]

    @classmethod
    def from_model(cls, progress: BatchProgressModel, loader: RenderLoader) -> "BatchProgress":
        """Return the GraphQL object of the progress of the caller's batch."""
        return cls(
            batch_id=strawberry.ID(progress.batch_id),
            total=progress.total,
            queued=progress.count(RenderStatus.QUEUED),
            rendering=progress.count(RenderStatus.RENDERING),
            complete=progress.count(RenderStatus.COMPLETE),
            failed=progress.count(RenderStatus.FAILED),
            cancelled=progress.count(RenderStatus.CANCELLED),
            percent=progress.percent,
            has_ended=progress.has_ended,
            estimated_completion_at=progress.estimated_completion_at,
            failures=[Render.from_model(render, loader) for render in progress.failures],
            model=progress,
            loader=loader,
        )


@strawberry.type(description="All renders of the input are queued, or were started by an earlier call.")
class StartRendersSuccess:
    renders: list[Render] = strawberry.field(
        metadata={MAX_ITEMS: MAX_ADDED},
        description="The renders, in the order of the input. Follow them with `batchProgress`.",
    )
    duplicates: int = strawberry.field(description="Number of these renders that earlier calls had started.")
    quota: RenderQuota = strawberry.field(description="Your quota after this start.")

    @classmethod
    def from_model(cls, started: models.StartAllResult, loader: RenderLoader) -> "StartRendersSuccess":
        """Return the GraphQL object of the result."""
        return cls(
            renders=[Render.from_model(render, loader) for render in started.renders],
            duplicates=started.duplicates,
            quota=RenderQuota.from_model(started.quota),
        )


@strawberry.type(description="The batch's renders that had not ended are cancelled, or their workers will cancel them.")
class CancelBatchSuccess:
    cancelled: int = strawberry.field(description="Number of QUEUED renders that this call has cancelled.")
    stopping: int = strawberry.field(
        description="Number of RENDERING renders that this call has notified. Their workers stop them within about a "
        "second; one whose output was finished before is COMPLETE."
    )
    progress: BatchProgress = strawberry.field(description="The batch after this call.")

    @classmethod
    def from_model(
        cls, cancellation: BatchCancellation, progress: BatchProgressModel, loader: RenderLoader
    ) -> "CancelBatchSuccess":
        """Return the GraphQL object of the result."""
        return cls(
            cancelled=cancellation.cancelled,
            stopping=cancellation.stopping,
            progress=BatchProgress.from_model(progress, loader),
        )


@strawberry.type(description="You have no renders with this batch id.")
class BatchNotFound(UserError):
    pass


StartRendersResult = Annotated[
    StartRendersSuccess | RenderQuotaExceeded | InvalidInput | IdempotencyKeyReused | RenderServiceNotConfigured,
    strawberry.union("StartRendersResult", description="Result of `startRenders`."),
]
CancelBatchResult = Annotated[
    CancelBatchSuccess | BatchNotFound,
    strawberry.union("CancelBatchResult", description="Result of `cancelBatch`."),
]
