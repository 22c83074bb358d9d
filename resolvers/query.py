"""The Query root."""

from typing import Annotated

import strawberry

from resolvers.context import Info
from schema.inputs import RenderFilter
from schema.render import Node, Render, RenderConnection, RenderLimits, RenderQuota
from services import models
from services.errors import RenderNotFound
from services.renders.animation import MAX_FONT_SIZE, MIN_FONT_SIZE

RenderId = Annotated[strawberry.ID, strawberry.argument(description="The `id` of the object.")]
First = Annotated[int, strawberry.argument(description="How many at most, 1 to 100.")]
After = Annotated[str | None, strawberry.argument(description="Go on behind the render with this cursor.")]
Filter = Annotated[RenderFilter | None, strawberry.argument(description="Which renders to list; all if left out.")]


@strawberry.type(description="What can be read. You only ever see your own renders, unless you are an operator.")
class Query:
    @strawberry.field(description="Any of your objects by its id; null if you have none with this id.")
    async def node(self, info: Info, id: RenderId) -> Node | None:  # noqa: A002  # Relay's name
        """Look the id up; renders are the only nodes there are."""
        return await _find(info, id)

    @strawberry.field(description="One of your renders; null if you have none with this id.")
    async def render(self, info: Info, id: RenderId) -> Render | None:  # noqa: A002  # the contract's name
        """Look the render up."""
        return await _find(info, id)

    @strawberry.field(description="Your renders, newest first.")
    async def renders(
        self,
        info: Info,
        first: First = 20,
        after: After = None,
        filter: Filter = None,  # noqa: A002  # the contract's name
    ) -> RenderConnection:
        """List a page."""
        matching = models.RenderFilter() if filter is None else filter.to_model()
        renders = info.context.services.renders
        page = await renders.list(info.context.caller, first=first, after=after, matching=matching)
        return RenderConnection.from_model(page, renders)

    @strawberry.field(description="How many renders you can still start, without using any of them up.")
    async def render_quota(self, info: Info) -> RenderQuota:
        """Read the quota."""
        return RenderQuota.from_model(await info.context.services.renders.quota(info.context.caller))

    @strawberry.field(description="What `startRender` accepts.")
    async def render_limits(self, info: Info) -> RenderLimits:
        """Read the limits."""
        limits = info.context.services.renders.limits
        return RenderLimits(
            max_duration_seconds=limits.max_duration_s,
            max_duration_in_frames=limits.max_duration_in_frames,
            fps=limits.fps,
            max_text_length=limits.max_text_length,
            min_font_size=MIN_FONT_SIZE,
            max_font_size=MAX_FONT_SIZE,
        )


async def _find(info: Info, render_id: str) -> Render | None:
    renders = info.context.services.renders
    try:
        return Render.from_model(await renders.get(info.context.caller, render_id), renders)
    except RenderNotFound:
        return None
