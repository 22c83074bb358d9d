"""The Subscription root."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

import strawberry

from resolvers.context import Info
from schema.render import Render
from services.realtime.subscribers import Push


@strawberry.type(description="What can be watched, over graphql-transport-ws on this same address.")
class Subscription:
    @strawberry.subscription(
        description=(
            "One of your renders: first as it is now, then each newer state with a higher `revision`, then completion "
            "of the stream when it has ended. Nothing is lost or repeated; a slow client skips to the newest state. "
            "After a lost connection just subscribe again. A render that is not yours is a NOT_FOUND error."
        )
    )
    async def render_progress(
        self,
        info: Info,
        render_id: Annotated[strawberry.ID, strawberry.argument(description="The id of one of your renders.")],
    ) -> AsyncGenerator[Render, None]:
        """Watch a render to its end."""
        services = info.context.services
        async with aclosing(services.hub.watch(info.context.caller, render_id, push=_push(info))) as states:
            async for render in states:
                yield Render.from_model(render, services.renders)

    @strawberry.subscription(
        description=(
            "All of your renders: first each one that has not ended, as it is now, then every change of any of them, "
            "those started later included. It does not complete. Order by `revision` within a render; after a lost "
            "connection subscribe again and read `renders` for what ended meanwhile. It may miss a render that "
            "begins and ends within seconds while the service has a fault; `renders` has it."
        )
    )
    async def render_updates(self, info: Info) -> AsyncGenerator[Render, None]:
        """Watch all of the caller's renders."""
        services = info.context.services
        async with aclosing(services.hub.watch_all(info.context.caller, push=_push(info))) as states:
            async for render in states:
                yield Render.from_model(render, services.renders)


def _push(info: Info) -> Push | None:
    return None if info.context.feed is None else info.context.feed.push
