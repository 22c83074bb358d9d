"""A render from its start to its end, as a command goes through it."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from pathlib import Path

import typer

from commands.client.api import Api
from commands.client.download import STDOUT, save
from commands.client.errors import CommandError, Unreachable
from commands.client.responses import Json, Render
from commands.client.views import View, open_view, size

CANCELLING_S = 10.0  # how long a cancelled render is waited for


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """How a render is shown, and what becomes of its video."""

    output: Path | None
    as_json: bool
    quiet: bool
    timeout_s: float


async def start(api: Api, props: Json, view: View, *, key: str) -> Render:
    """Start a render. If the command is interrupted meanwhile, what it may have started is cancelled."""
    starting = asyncio.ensure_future(api.start(props, key=key))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        with suppress(CommandError, TimeoutError):
            async with asyncio.timeout(CANCELLING_S):
                render = await starting
            await _cancel(api, render.id, view)
        raise


async def follow(api: Api, render_id: str, view: View, *, timeout_s: float) -> Render:
    """Show a render up to its end, and return that."""
    told: set[str] = set()
    try:
        async with asyncio.timeout(timeout_s), aclosing(api.watch(render_id)) as states:
            async for render in states:
                view.show(render)
                for warning in render.warnings:
                    if warning not in told:
                        told.add(warning)
                        view.say(f"Note: {warning}")
                if render.has_ended:
                    return render
    except TimeoutError:
        raise Unreachable(
            f"The render has not ended within {timeout_s:g} seconds. It goes on: rendercast watch {render_id}",
            code="NOT_IN_TIME",
            renderId=render_id,
        ) from None
    raise AssertionError  # what is watched has an end


async def follow_own(api: Api, render_id: str, view: View, *, timeout_s: float) -> Render:
    """Do as `follow`, but cancel the render if the command is interrupted. Interrupted again, it is not waited for."""
    try:
        return await follow(api, render_id, view, timeout_s=timeout_s)
    except asyncio.CancelledError:
        await _cancel(api, render_id, view)
        raise


async def _cancel(api: Api, render_id: str, view: View) -> None:
    view.say("Cancelling the render. Ctrl-C again does not wait for that.")
    try:
        async with asyncio.timeout(CANCELLING_S):
            render = await api.cancel(render_id)
            if not render.has_ended:
                render = await follow(api, render_id, view, timeout_s=CANCELLING_S)
            else:
                view.show(render)
        view.say(f"The render is {render.status.lower()}.")
    except (CommandError, TimeoutError) as error:
        why = f" ({error})" if str(error) else ""
        view.say(f"The render may go on{why}. `rendercast cancel {render_id}` asks again.")


def require_complete(render: Render) -> None:
    """Return if there is a video. Raises `CommandError` otherwise."""
    if render.status == "FAILED":
        raise CommandError(render.error_message or "It failed.", code=render.error_code or "FAILED", renderId=render.id)
    if render.status != "COMPLETE":
        raise CommandError(f"The render is {render.status.lower()}.", code=render.status, renderId=render.id)


async def see_through(
    api: Api, begin: Callable[[View], Awaitable[Render]], wishes: Wishes, *, cancelling: bool = False
) -> None:
    """Show the render that `begin` returns up to its end, and save the video or print its URL.

    With `cancelling`, the render ends with the command if that is interrupted.
    """
    with open_view(as_json=wishes.as_json, quiet=wishes.quiet) as view:
        begun = await begin(view)
        following = follow_own if cancelling else follow
        ended = await following(api, begun.id, view, timeout_s=wishes.timeout_s)
        require_complete(ended)
        if wishes.output is not None:
            await deliver(api, ended, wishes.output, view)
    if wishes.output is None and not wishes.as_json:
        typer.echo(ended.output_url)


async def deliver(api: Api, render: Render, path: Path, view: View) -> None:
    """Save the video and say so."""
    saved = await save(api, render, path)
    if saved != STDOUT:
        view.say(f"Saved {saved.name}: {render.total_frames} frames, {size(render.output_size_bytes or 0)}.")
