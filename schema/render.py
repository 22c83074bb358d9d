"""The render as clients see it, and what belongs to it."""

import asyncio
from datetime import datetime
from functools import cached_property

import strawberry

from schema.enums import AnimationStyle, RenderPhase, RenderStatus
from schema.scalars import BigInt
from services import models
from services.renders.cursors import encode_cursor
from services.renders.service import RenderService

READS_STORE = "reads store"  # in the metadata of fields that may, though they don't always wait


@strawberry.interface(description="Anything that has an id of its own. Fetch it again with `node(id:)`.")
class Node:
    id: strawberry.ID = strawberry.field(description="Unique over all types; opaque; never changes.")


@strawberry.type(description="What is drawn.")
class AnimationProps:
    text: str = strawberry.field(description="The text that is animated. A line feed begins a new line.")
    style: AnimationStyle = strawberry.field(description="How the text appears.")
    font_family: str = strawberry.field(description="The font asked for; see `warnings` if it could not be used.")
    font_size: float = strawberry.field(
        description="Size in pixels of the video; drawn smaller if the text would not fit otherwise."
    )
    color: str = strawberry.field(description="CSS colour of the text.")
    background_color: str | None = strawberry.field(description="CSS colour behind the text; black if null.")
    duration_in_frames: int = strawberry.field(description="Length of the video in frames.")
    fps: int = strawberry.field(description="Frames per second.")

    @classmethod
    def from_model(cls, props: models.AnimationProps) -> "AnimationProps":
        """Return the props of a render."""
        return cls(
            text=props.text,
            style=AnimationStyle(props.style),
            font_family=props.font_family,
            font_size=props.font_size,
            color=props.color,
            background_color=props.background_color,
            duration_in_frames=props.duration_in_frames,
            fps=props.fps,
        )


@strawberry.type(description="Why a render FAILED.")
class RenderError:
    code: str = strawberry.field(
        description="A stable word for programs, such as DEADLINE_EXCEEDED; new ones may be added."
    )
    message: str = strawberry.field(description="A sentence for people that says what to do.")
    retryable: bool = strawberry.field(description="Whether `retryRender` may well succeed.")

    @classmethod
    def from_model(cls, failure: models.Failure) -> "RenderError":
        """Return the reason a render failed for."""
        return cls(code=failure.code, message=failure.message, retryable=failure.retryable)


@strawberry.type(description="One video being made, or made. Watch it with `renderProgress`.")
class Render(Node):
    owner: str = strawberry.field(
        description="Whose it is: the issuer and the subject of the token it was started with, a space between them."
    )
    revision: int = strawberry.field(
        description="Rises with every change. Of two copies of a render, the one with the higher revision is newer."
    )
    generation_id: strawberry.ID | None = strawberry.field(description="The id of yours that was given at the start.")
    status: RenderStatus = strawberry.field(description="Where it is in its life.")
    phase: RenderPhase | None = strawberry.field(description="What is being done; null unless RENDERING.")
    progress: int = strawberry.field(
        description="Whole percentage, 0 to 100. Never goes down, and is 100 only when COMPLETE."
    )
    frames_rendered: int = strawberry.field(description="Frames drawn so far, at most `totalFrames`. Never goes down.")
    total_frames: int = strawberry.field(description="Frames of the finished video.")
    estimated_completion_at: datetime | None = strawberry.field(
        description="When it will probably be done; null while that can't be told."
    )
    attempt: int = strawberry.field(description="How many times it was begun; 0 while it waits for the first time.")
    cancel_requested: bool = strawberry.field(
        description="Whether cancelling was asked for. `status` tells what came of it."
    )
    warnings: list[str] = strawberry.field(
        description="Sentences on where the video deviates from what was asked, for instance in the font."
    )
    cost_usd: float | None = strawberry.field(
        description="What it has cost so far in US dollars, as far as the renderer tells."
    )
    backend_render_id: str | None = strawberry.field(description="The renderer's own id of the present attempt.")
    created_at: datetime = strawberry.field(description="When it was started by the mutation.")
    started_at: datetime | None = strawberry.field(description="When it was first given to the renderer.")
    completed_at: datetime | None = strawberry.field(description="When it ended, however it ended.")

    model: strawberry.Private[models.Render]
    renders: strawberry.Private[RenderService]

    @strawberry.field(description="What is drawn.")
    def animation_props(self) -> AnimationProps:
        """Show the props."""
        return AnimationProps.from_model(self.model.props)

    @strawberry.field(description="Why it failed; null unless FAILED.")
    def error(self) -> RenderError | None:
        """Show the failure."""
        return None if self.model.failure is None else RenderError.from_model(self.model.failure)

    @strawberry.field(description="Size of the video; null unless COMPLETE.")
    def output_size_bytes(self) -> BigInt | None:
        """Show the output's size."""
        return None if self.model.output is None else BigInt(self.model.output.size_bytes)

    @strawberry.field(
        graphql_type=int | None,
        metadata={READS_STORE: True},
        description=(
            "Place in the queue at this moment, 1 for the next; null unless QUEUED. Others that leave the queue are no "
            "change of this render, so subscriptions don't tell of them."
        ),
    )
    def queue_position(self) -> "asyncio.Future[int | None] | None":
        """Count when asked for, since others leave the queue without this render changing; once for each copy of it."""
        return self.position if self.model.status is models.RenderStatus.QUEUED else None

    @cached_property
    def position(self) -> "asyncio.Future[int | None]":
        """The place in the queue that this copy of the render tells, counted once."""
        return asyncio.ensure_future(self.renders.queue_position(self.model))

    @strawberry.field(
        description=(
            "URL of the MP4, signed for you at this moment, usable without credentials until `outputUrlExpiresAt`; "
            "null unless COMPLETE. Get another with `refreshDownloadUrl`."
        )
    )
    def output_url(self) -> str | None:
        """Sign when asked for."""
        return None if self.download is None else self.download.url

    @strawberry.field(description="When that URL stops working; null unless COMPLETE.")
    def output_url_expires_at(self) -> datetime | None:
        """Tell what the same URL is good for."""
        return None if self.download is None else self.download.expires_at

    @cached_property
    def download(self) -> models.Download | None:
        """The URL that this copy of the render tells, signed once."""
        return self.renders.sign(self.model)

    @strawberry.field(
        description=(
            "URL of the poster, a JPEG of the video's last frame, signed for you at this moment, usable without "
            "credentials until `posterUrlExpiresAt`; null unless COMPLETE, and if no poster could be made."
        )
    )
    def poster_url(self) -> str | None:
        """Sign when asked for."""
        return None if self.poster is None else self.poster.url

    @strawberry.field(description="When that URL stops working; null if there is none.")
    def poster_url_expires_at(self) -> datetime | None:
        """Tell what the same URL is good for."""
        return None if self.poster is None else self.poster.expires_at

    @cached_property
    def poster(self) -> models.Download | None:
        """The URL of the poster that this copy of the render tells, signed once."""
        return self.renders.sign_poster(self.model)

    @classmethod
    def from_model(cls, render: models.Render, renders: RenderService) -> "Render":
        """Return the render for one who may see it; `renders` signs and counts when a field asks for it."""
        shown = cls.__new__(cls)
        shown.model, shown.renders = render, renders
        return shown

    def __getattr__(self, name: str) -> object:
        """Return what the model has under the same name, which is most of what there is to show."""
        return getattr(self.model, name)


@strawberry.type(description="How many renders you may start. Reading it takes nothing of it.")
class RenderQuota:
    limit: int = strawberry.field(description="Renders per window.")
    remaining: int = strawberry.field(description="Renders you can still start before `resetsAt`.")
    window_seconds: int = strawberry.field(description="Length of a window.")
    resets_at: datetime = strawberry.field(description="When the whole limit is available again.")

    @classmethod
    def from_model(cls, quota: models.Quota) -> "RenderQuota":
        """Return a caller's quota."""
        return cls(
            limit=quota.limit,
            remaining=quota.remaining,
            window_seconds=int(quota.window.total_seconds()),
            resets_at=quota.resets_at,
        )


@strawberry.type(description="What `startRender` accepts, so that a form can check before it asks.")
class RenderLimits:
    max_duration_seconds: int = strawberry.field(description="Longest video.")
    max_duration_in_frames: int = strawberry.field(description="The same in frames: the highest `durationInFrames`.")
    fps: int = strawberry.field(description="The only value of `fps` that is accepted.")
    max_text_length: int = strawberry.field(description="Most characters of text, counted as Unicode code points.")
    min_font_size: float = strawberry.field(description="Smallest `fontSize`.")
    max_font_size: float = strawberry.field(description="Largest `fontSize`.")


@strawberry.type(description="A render in a list, with its place.")
class RenderEdge:
    node: Render = strawberry.field(description="The render.")
    cursor: str = strawberry.field(description="Pass it as `after` to go on behind this render.")


@strawberry.type(description="Where a page stands in its list, as Relay's connection specification has it.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether there are older renders behind this page.")
    has_previous_page: bool = strawberry.field(description="Whether there are newer renders before this page.")
    start_cursor: str | None = strawberry.field(description="Cursor of the first render; null if the page is empty.")
    end_cursor: str | None = strawberry.field(description="Cursor of the last render; null if the page is empty.")


@strawberry.type(description="A page of renders, newest first.")
class RenderConnection:
    edges: list[RenderEdge] = strawberry.field(description="The renders with their cursors.")
    page_info: PageInfo = strawberry.field(description="Where this page stands.")

    @classmethod
    def from_model(cls, page: models.RenderPage, renders: RenderService) -> "RenderConnection":
        """Return a page of renders."""
        edges = [
            RenderEdge(node=Render.from_model(render, renders), cursor=encode_cursor(render.id, owner=page.owner))
            for render in page.renders
        ]
        return cls(
            edges=edges,
            page_info=PageInfo(
                has_next_page=page.has_next,
                has_previous_page=page.has_previous,
                start_cursor=edges[0].cursor if edges else None,
                end_cursor=edges[-1].cursor if edges else None,
            ),
        )
