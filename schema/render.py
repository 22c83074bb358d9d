"""The GraphQL type `Render` and the types of its parts and its lists."""

from collections.abc import Awaitable
from datetime import datetime
from functools import cached_property
from typing import Annotated, Protocol

import strawberry

from schema.animation import AnimationProps
from schema.enums import RenderPhase, RenderStatus
from schema.output import RenderOutput
from schema.scalars import JSON, BigInt
from services import models
from services.renders.failure_messages import message_for_owner
from services.renders.text_animation import input_props

AsAttachment = Annotated[
    bool,
    strawberry.argument(description="Whether browsers save the file under a readable name instead of showing it."),
]
READS_STORE = "reads store"  # metadata key of fields that may read from the store although they aren't async
MAX_ITEMS = "max items"  # metadata key of a list's maximum length, if it is long and has no argument `first`


class RenderLoader(Protocol):
    """Computes the fields of a render that aren't stored with it."""

    def queue_position(self, render: models.Render) -> Awaitable[int | None]:
        """Return an awaitable of a QUEUED render's place in the queue, 1 for the next. It can be awaited repeatedly."""
        ...

    def has_next(self, page: models.RenderPage) -> Awaitable[bool]:
        """Return an awaitable of whether there are renders after the page. It can be awaited repeatedly."""
        ...

    def has_previous(self, page: models.RenderPage) -> Awaitable[bool]:
        """Return an awaitable of whether there are renders before the page. It can be awaited repeatedly."""
        ...

    async def count(self, page: models.RenderPage) -> int:
        """Return the number of renders in the page's list."""
        ...

    def output_download(self, render: models.Render, *, as_attachment: bool) -> models.Download | None:
        """Return a signed URL of the output; None if there is none. If `as_attachment`, browsers save the file."""
        ...

    def poster_download(self, render: models.Render) -> models.Download | None:
        """Return a signed URL of the poster; None if there is none."""
        ...

    def preview_download(self, render: models.Render) -> models.Download | None:
        """Return a signed URL of the newest preview; None if there is none."""
        ...


@strawberry.interface(description="An object with a global id. Fetch it with `node(id:)`.")
class Node:
    id: strawberry.ID = strawberry.field(description="Unique over all types, opaque, never changes.")


@strawberry.type(description="Why a render FAILED.")
class RenderError:
    code: str = strawberry.field(
        description="A stable code for programs, such as DEADLINE_EXCEEDED. New codes may be added."
    )
    message: str = strawberry.field(description="A message for users that says what to do.")
    retryable: bool = strawberry.field(description="Whether `retryRender` is likely to succeed.")

    @classmethod
    def from_model(cls, failure: models.Failure) -> "RenderError":
        """Return the GraphQL object of a failure."""
        return cls(code=failure.code, message=message_for_owner(failure), retryable=failure.retryable)


@strawberry.type(description="The rendering of one output: its state and result. Follow it with `renderProgress`.")
class Render(Node):
    owner: str = strawberry.field(
        description="The user who started it: issuer and subject of the access token, separated by a space."
    )
    revision: int = strawberry.field(
        description="Increases with every change. Of two copies of a render, the one with the higher revision is newer."
    )
    generation_id: strawberry.ID | None = strawberry.field(
        description="The `generationId` passed to `startRender`, if any."
    )
    batch_id: strawberry.ID | None = strawberry.field(description="The `batchId` passed to `startRenders`, if any.")
    status: RenderStatus = strawberry.field(description="Status of the render.")
    phase: RenderPhase | None = strawberry.field(description="Phase of the rendering; null unless RENDERING.")
    progress: int = strawberry.field(
        description="Progress in whole percent, 0 to 100. Never decreases; 100 only when COMPLETE."
    )
    frames_rendered: int = strawberry.field(
        description="Number of frames rendered, at most `totalFrames`. Never decreases."
    )
    composition_id: strawberry.ID = strawberry.field(description="Id of the rendered composition.")
    total_frames: int = strawberry.field(
        description="Number of frames of the finished output. For a composition whose length depends on its props, "
        "this is an estimate until the renderer has reported it."
    )
    estimated_completion_at: datetime | None = strawberry.field(
        description="Estimated time of completion; null while there is no estimate."
    )
    attempt: int = strawberry.field(description="Number of attempts started; 0 before the first.")
    cancel_requested: bool = strawberry.field(
        description="Whether `cancelRender` was called for it. `status` shows the result."
    )
    warnings: list[str] = strawberry.field(
        description="Messages about differences between the request and the output, such as another font."
    )
    cost_usd: float | None = strawberry.field(
        description="Cost so far in US dollars, if the renderer reports it; otherwise null."
    )
    backend_render_id: str | None = strawberry.field(description="The renderer's id of the current attempt.")
    created_at: datetime = strawberry.field(description="When the render was created.")
    started_at: datetime | None = strawberry.field(description="When it was first passed to the renderer.")
    completed_at: datetime | None = strawberry.field(description="When it became COMPLETE, FAILED or CANCELLED.")

    model: strawberry.Private[models.Render]
    loader: strawberry.Private[RenderLoader]

    @strawberry.field(description="The animation; null if another composition is rendered.")
    def animation_props(self) -> AnimationProps | None:
        """Return the typed props."""
        return None if self.model.props is None else AnimationProps.from_model(self.model.props)

    @strawberry.field(description="The props that the composition receives, without its defaults.")
    def input_props(self) -> JSON:
        """Return the props as a JSON object."""
        return JSON(input_props(self.model))

    @strawberry.field(description="The requested format and options of the output.")
    def output(self) -> RenderOutput:
        """Return the requested output."""
        return RenderOutput.from_model(self.model)

    @strawberry.field(description="Why it failed; null unless FAILED.")
    def error(self) -> RenderError | None:
        """Return the failure."""
        return None if self.model.failure is None else RenderError.from_model(self.model.failure)

    @strawberry.field(description="Size of the output in bytes; null unless COMPLETE.")
    def output_size_bytes(self) -> BigInt | None:
        """Return the size of the output."""
        return None if self.model.output is None else BigInt(self.model.output.size_bytes)

    @strawberry.field(
        graphql_type=int | None,
        metadata={READS_STORE: True},
        description=(
            "Current place in the queue, 1 for the next render; 1000 means 1000 or later; null unless "
            "QUEUED. Renders of other users that are added later can come before it. Subscriptions send no event when "
            "it changes because of other renders."
        ),
    )
    def queue_position(self) -> "Awaitable[int | None] | None":
        """Return the position. It is counted when requested, since it changes without a change of this render."""
        return self.position if self.model.status is models.RenderStatus.QUEUED else None

    @cached_property
    def position(self) -> "Awaitable[int | None]":
        """The place in the queue, counted once per copy of the render."""
        return self.loader.queue_position(self.model)

    @strawberry.field(
        description=(
            "Signed URL of the output, the same for some minutes. Needs no credentials and is valid until "
            "`outputUrlExpiresAt`; null unless COMPLETE. `refreshDownloadUrl` returns a new one."
        )
    )
    def output_url(self, download: AsAttachment = False) -> str | None:  # noqa: FBT002  # an argument of the schema
        """Return the URL, signed when requested."""
        signed = self.saved if download else self.download
        return None if signed is None else signed.url

    @strawberry.field(description="When `outputUrl` expires; null unless COMPLETE.")
    def output_url_expires_at(self) -> datetime | None:
        """Return the expiry of the same URL."""
        return None if self.download is None else self.download.expires_at

    @cached_property
    def download(self) -> models.Download | None:
        """The URL of the output, signed once per copy of the render."""
        return None if self.model.output is None else self.loader.output_download(self.model, as_attachment=False)

    @cached_property
    def saved(self) -> models.Download | None:
        """The URL with which browsers save the output, signed once per copy of the render."""
        return None if self.model.output is None else self.loader.output_download(self.model, as_attachment=True)

    @strawberry.field(
        description=(
            "Signed URL of the poster, a JPEG of the last frame, the same for some minutes. Needs no credentials and "
            "is valid until `posterUrlExpiresAt`; null unless COMPLETE, for stills and audio, or if none could be "
            "made."
        )
    )
    def poster_url(self) -> str | None:
        """Return the URL, signed when requested."""
        return None if self.poster is None else self.poster.url

    @strawberry.field(description="When `posterUrl` expires; null if there is no poster.")
    def poster_url_expires_at(self) -> datetime | None:
        """Return the expiry of the same URL."""
        return None if self.poster is None else self.poster.expires_at

    @strawberry.field(
        description=(
            "Signed URL of a preview of the newest frame, a JPEG of at most 480 pixels. There is another URL for each "
            "preview, at most one a second. Needs no credentials and is valid for at least a minute; null unless "
            "RENDERING, before the first preview, and if the renderer makes none."
        )
    )
    def preview_url(self) -> str | None:
        """Return the URL, signed when requested."""
        signed = None if self.model.preview_frame is None else self.loader.preview_download(self.model)
        return None if signed is None else signed.url

    @cached_property
    def poster(self) -> models.Download | None:
        """The URL of the poster, signed once per copy of the render."""
        return None if self.model.output is None else self.loader.poster_download(self.model)

    @classmethod
    def from_model(cls, render: models.Render, loader: RenderLoader) -> "Render":
        """Return the GraphQL object of a render that the caller may read.

        Subscriptions create one per state, so this sets two attributes (0.3 µs) instead of copying all fields (3.7 µs).
        """
        copy = cls.__new__(cls)
        copy.model, copy.loader = render, loader
        return copy

    def __getattr__(self, name: str) -> object:
        """Return the model's attribute with this name: most fields have the same name and value there."""
        return getattr(self.model, name)
