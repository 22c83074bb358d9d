"""The Subscription root."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from types import MappingProxyType
from typing import Annotated

import strawberry

from resolvers.compiled_subscriptions import Arguments, Opener
from resolvers.context import Context, Info
from schema.batch import BatchProgress
from schema.render import Render
from schema.render_change import RenderChange
from services.realtime.subscribers import Subscriber


@strawberry.type(description="Live updates, over graphql-transport-ws, SSE or multipart responses at the same URL.")
class Subscription:
    @strawberry.subscription(
        description=(
            "States of one of your renders: first the current state, then each newer state with a higher `revision`. "
            "The stream completes after the final state. No state is repeated; a slow client skips states but always "
            "receives the newest one. After a lost connection, subscribe again. Returns a NOT_FOUND error for a render "
            "that isn't yours."
        )
    )
    async def render_progress(
        self,
        info: Info,
        render_id: Annotated[strawberry.ID, strawberry.argument(description="The id of one of your renders.")],
    ) -> AsyncGenerator[Render, None]:
        """Yield the states of one render until it has ended."""
        context, loader = info.context, info.context.render_loader
        subscription = context.services.hub.subscribe(context.caller, render_id, context.fast_path)
        async with aclosing(subscription) as states:
            async for render in states:
                yield Render.from_model(render, loader)

    @strawberry.subscription(
        description=(
            "States of all your renders: first the current state of each render that has not ended, then every "
            "change, including renders started later. The stream does not complete. Order the states of a render by "
            "`revision`. After a lost connection, subscribe again and query `renders` for those that ended meanwhile. "
            "During a failure of the service, a render that starts and ends within seconds may be missing; `renders` "
            "returns it. Deletions are not reported: `renderChanges` reports them too."
        )
    )
    async def render_updates(self, info: Info) -> AsyncGenerator[Render, None]:
        """Yield the states of all of the caller's renders."""
        context, loader = info.context, info.context.render_loader
        async with aclosing(context.services.hub.subscribe_all(context.caller, context.fast_path)) as states:
            async for render in states:
                yield Render.from_model(render, loader)

    @strawberry.subscription(
        description=(
            "Everything that `renderUpdates` returns, and each deletion of one of your renders, including renders "
            "that ended earlier. No state of a render follows its deletion. After a lost connection, subscribe again "
            "and query `renders`. During a failure of the service, deletions of renders whose end this stream has "
            "not returned may be missing; renders that the server removes after their retention are never reported."
        )
    )
    async def render_changes(self, info: Info) -> AsyncGenerator[RenderChange, None]:
        """Yield the states of all of the caller's renders, and their deletions."""
        context, loader = info.context, info.context.render_loader
        async with aclosing(context.services.hub.subscribe_changes(context.caller, context.fast_path)) as events:
            async for event in events:
                yield RenderChange.from_model(event, loader)

    @strawberry.subscription(
        description=(
            "The progress of one of your batches: first the current one, then a newer one at most each second while it "
            "changes. The stream completes when all renders have ended; after more have been started, subscribe again. "
            "After a lost connection, subscribe again. Returns a NOT_FOUND error if you have no renders with this "
            "batch id."
        )
    )
    async def batch_progress(
        self,
        info: Info,
        batch_id: Annotated[strawberry.ID, strawberry.argument(description="The id of one of your batches.")],
    ) -> AsyncGenerator[BatchProgress, None]:
        """Yield the progress of one batch until it has ended."""
        context, loader = info.context, info.context.render_loader
        async with aclosing(context.services.batches.watch(context.caller, batch_id)) as states:
            async for progress in states:
                yield BatchProgress.from_model(progress, loader)


async def _open_progress(context: Context, arguments: Arguments) -> Subscriber:
    return await context.services.hub.open(context.caller, arguments["renderId"], context.fast_path)


async def _open_updates(context: Context, _: Arguments) -> Subscriber:
    return await context.services.hub.open_all(context.caller, context.fast_path)


async def _open_changes(context: Context, _: Arguments) -> Subscriber:
    return await context.services.hub.open_all(context.caller, context.fast_path, deletions=True)


# The same as the resolvers, for subscriptions that start without graphql-core.
OPENERS: Mapping[str, Opener] = MappingProxyType(
    {"renderProgress": _open_progress, "renderUpdates": _open_updates, "renderChanges": _open_changes}
)
