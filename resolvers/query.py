"""The Query root."""

from collections.abc import Sequence
from typing import Annotated

import strawberry

from resolvers.context import Info
from resolvers.render_loader import RenderServiceLoader
from schema.batch import BatchProgress
from schema.composition import Composition
from schema.fonts import FontFamily
from schema.inputs import AnimationPropsInput, RenderFilter, StartRenderInput
from schema.limits import RenderLimits, RenderQuota
from schema.output import OutputInput
from schema.render import MAX_ITEMS, Node, Render
from schema.render_connection import RenderConnection
from schema.results import InputPathProblem
from schema.scalars import BigInt
from schema.text_layout import TextLayout
from services import models
from services.errors import RenderNotFound
from services.ports import MAX_ADDED
from services.renders.batch_requests import MAX_PROBLEMS
from services.renders.pages import PageRequest
from services.renders.requests import StartRequest
from services.renders.validation import MAX_FONT_SIZE_PX, MIN_FONT_SIZE_PX

MAX_SHORT_PAGE = 20  # renders, which compiled selections complete in a fraction of a millisecond

RenderId = Annotated[strawberry.ID, strawberry.argument(description="The id of the render.")]
BatchId = Annotated[strawberry.ID, strawberry.argument(description="The id of one of your batches.")]
CompositionId = Annotated[strawberry.ID, strawberry.argument(description="The id of the composition.")]
First = Annotated[
    int | None,
    strawberry.argument(description="Return at most this many renders, 1 to 100. Default: 20, unless `last` is given."),
]
After = Annotated[
    str | None, strawberry.argument(description="Return renders after this cursor, which are older. Empty: all.")
]
Last = Annotated[
    int | None,
    strawberry.argument(description="Return the last renders instead of the first, 1 to 100, in the same order."),
]
Before = Annotated[
    str | None, strawberry.argument(description="Return renders before this cursor, which are newer. Empty: all.")
]
Filter = Annotated[
    RenderFilter | None, strawberry.argument(description="Which renders to return. Default: all of yours.")
]


@strawberry.type(
    description="Read operations. They return your own renders; operators can read the renders of all users."
)
class Query:
    @strawberry.field(description="One of your objects by its id; null if you have none with this id.")
    async def node(self, info: Info, id: RenderId) -> Node | None:  # noqa: A002  # Relay's name
        """Return the node. `Render` is the only type that implements `Node`."""
        return await _find(info, id)

    @strawberry.field(description="One of your renders by its id; null if you have none with this id.")
    async def render(self, info: Info, id: RenderId) -> Render | None:  # noqa: A002  # the name in the schema
        """Return the render."""
        return await _find(info, id)

    @strawberry.field(description="Your renders, newest first.")
    async def renders(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        filter: Filter = None,  # noqa: A002  # the name in the schema
    ) -> RenderConnection:
        """Return a page."""
        caller = info.context.caller
        matching = models.RenderFilter() if filter is None else filter.to_model()
        request = PageRequest(first=first, after=after, last=last, before=before)
        loader = RenderServiceLoader(info.context.services.renders, info.context.reads)
        async with loader.reads:
            page = await loader.service.list(caller, request, matching=matching)
        if info.context.selections is None or len(page.renders) > MAX_SHORT_PAGE:
            await info.context.turn()  # completing the page takes milliseconds
        return RenderConnection.from_model(page, loader)

    @strawberry.field(
        description="The progress of one of your batches; null if you have no renders with this batch id."
    )
    async def batch_progress(self, info: Info, batch_id: BatchId) -> BatchProgress | None:
        """Return the progress."""
        caller = info.context.caller
        async with info.context.reads:
            progress = await info.context.services.batches.progress(caller, batch_id)
        return None if progress is None else BatchProgress.from_model(progress, info.context.render_loader)

    @strawberry.field(
        metadata={MAX_ITEMS: MAX_PROBLEMS + 1},
        description=(
            "The problems for which `startRenders` would reject these renders; empty if there are none. Starts nothing "
            "and uses no quota. Does not check whether the quota suffices or keys were used before."
        ),
    )
    async def check_renders(
        self,
        info: Info,
        renders: Annotated[
            list[StartRenderInput], strawberry.argument(description=f"The renders to check, 1 to {MAX_ADDED}.")
        ],
    ) -> list[InputPathProblem]:
        """Return the problems."""
        requests = [each.to_model() for each in renders]
        found = await info.context.services.batches.check(info.context.caller, requests)
        return [InputPathProblem(path=each.path, message=each.message) for each in found]

    @strawberry.field(description="Your quota of renders. Reading it uses none of it.")
    async def render_quota(self, info: Info) -> RenderQuota:
        """Return the quota."""
        caller = info.context.caller
        async with info.context.reads:
            return RenderQuota.from_model(await info.context.services.renders.quota(caller))

    @strawberry.field(
        description="The compositions that can be rendered, in the site's order. Empty until a worker has read them."
    )
    async def compositions(self, info: Info) -> list[Composition]:
        """Return the compositions."""
        return [Composition.from_model(each) for each in await _compositions(info)]

    @strawberry.field(description="A composition by its id; null if this server has none with this id.")
    async def composition(self, info: Info, id: CompositionId) -> Composition | None:  # noqa: A002  # the name in the schema
        """Return the composition."""
        found = [each for each in await _compositions(info) if each.id == id]
        return Composition.from_model(found[0]) if found else None

    @strawberry.field(
        description=(
            "The font families of this server, in alphabetical order. Empty if Remotion draws the animations, with the "
            "fonts of the composition `TextAnimation`."
        )
    )
    async def fonts(self, info: Info) -> list[FontFamily]:
        """Return the families."""
        families = await info.context.services.renders.fonts(info.context.caller)
        return [FontFamily.from_model(each) for each in families]

    @strawberry.field(
        description=(
            "How the text of an animation is drawn, for a preview. Null if the input is not valid, if the fonts for "
            "it are too large for a response, or if Remotion draws the animations."
        )
    )
    async def text_layout(
        self,
        info: Info,
        animation_props: Annotated[AnimationPropsInput, strawberry.argument(description="The animation.")],
        output: Annotated[OutputInput | None, strawberry.argument(description="As in `startRender`.")] = None,
    ) -> TextLayout | None:
        """Return the layout."""
        request = StartRequest(
            animation=animation_props.to_model(), output=None if output is None else output.to_model()
        )
        async with info.context.reads:
            layout = await info.context.services.renders.text_layout(info.context.caller, request)
        return None if layout is None else TextLayout.from_model(layout)

    @strawberry.field(description="The values that `startRender` accepts.")
    async def render_limits(self, info: Info) -> RenderLimits:
        """Return the limits."""
        limits = info.context.services.renders.limits
        animation = limits.animation
        return RenderLimits(
            max_duration_seconds=animation.max_duration_s,
            max_duration_in_frames=animation.max_duration_in_frames,
            fps=animation.fps,
            max_text_length=animation.max_text_length,
            max_pixels=BigInt(limits.media.max_pixels),
            max_props_bytes=limits.max_props_bytes,
            min_font_size=MIN_FONT_SIZE_PX,
            max_font_size=MAX_FONT_SIZE_PX,
        )


async def _compositions(info: Info) -> Sequence[models.Composition]:
    return await info.context.services.renders.compositions(info.context.caller)


async def _find(info: Info, render_id: str) -> Render | None:
    caller = info.context.caller
    try:
        async with info.context.reads:
            render = await info.context.services.renders.get(caller, render_id)
    except RenderNotFound:
        return None
    return Render.from_model(render, info.context.render_loader)
