"""Follows a render until it ends: shows its progress, cancels it on interruption, saves its output."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from pathlib import Path

import typer
from rendercast.client import AsyncClient, Render, RendercastError, WatchTimedOut

from commands.client.download import STDOUT, save
from commands.client.errors import UNREACHABLE, CommandError
from commands.client.views import View, describe_output, open_view

CANCEL_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowOptions:
    """The options of a command that follows a render."""

    output: Path | None
    as_json: bool
    quiet: bool
    timeout_s: float


async def start(api: AsyncClient, start_call: Awaitable[Render], view: View) -> Render:
    """Start a render. If this task is cancelled before the response, the render is cancelled too if it was started."""
    starting = asyncio.ensure_future(start_call)
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        with suppress(RendercastError, TimeoutError):
            async with asyncio.timeout(CANCEL_TIMEOUT_S):
                render = await starting
            await _cancel(api, render.id, view)
        raise


async def follow(api: AsyncClient, render_id: str, view: View, *, timeout_s: float) -> Render:
    """Show a render until it ends, and return its final state. Raises `CommandError` after the timeout."""
    shown_warnings: set[str] = set()
    try:
        async with aclosing(api.watch(render_id, timeout_s=timeout_s)) as states:
            async for render in states:
                view.show(render)
                for warning in render.warnings:
                    if warning not in shown_warnings:
                        shown_warnings.add(warning)
                        view.write_line(f"Note: {warning}")
                if render.has_ended:
                    return render
    except WatchTimedOut as error:
        raise CommandError(
            f"The render did not end within {timeout_s:g} seconds. It continues: rendercast watch {render_id}",
            code=error.code,
            exit_code=UNREACHABLE,
            renderId=render_id,
        ) from None
    raise AssertionError  # `watch` ends with a final state or an error


async def follow_or_cancel(api: AsyncClient, render_id: str, view: View, *, timeout_s: float) -> Render:
    """Call `follow`. If this task is cancelled, cancel the render; a second cancellation ends the wait for it."""
    try:
        return await follow(api, render_id, view, timeout_s=timeout_s)
    except asyncio.CancelledError:
        await _cancel(api, render_id, view)
        raise


async def _cancel(api: AsyncClient, render_id: str, view: View) -> None:
    view.write_line("Cancelling the render. Press Ctrl-C again to exit without waiting.")
    try:
        async with asyncio.timeout(CANCEL_TIMEOUT_S):
            render = await api.cancel(render_id)
            if not render.has_ended:
                render = await follow(api, render_id, view, timeout_s=CANCEL_TIMEOUT_S)
            else:
                view.show(render)
        view.write_line(f"The render is {render.status.lower()}.")
    except (RendercastError, TimeoutError) as error:
        reason = f" ({error})" if str(error) else ""
        view.write_line(f"The render may still be running{reason}. Cancel it with: rendercast cancel {render_id}")


def require_complete(render: Render) -> None:
    """Raise `CommandError` unless the render is complete."""
    if render.error is not None:
        raise CommandError(render.error.message, code=render.error.code, renderId=render.id)
    if render.status != "COMPLETE":
        raise CommandError(f"The render is {render.status.lower()}.", code=render.status, renderId=render.id)


async def follow_and_save(
    api: AsyncClient,
    get_render: Callable[[View], Awaitable[Render]],
    options: FollowOptions,
    *,
    cancel_on_interrupt: bool = False,
) -> None:
    """Show the render that `get_render` returns until it ends, and save the output or print its URL.

    With `cancel_on_interrupt`, the render is cancelled if this task is cancelled.
    """
    with open_view(as_json=options.as_json, quiet=options.quiet) as view:
        render = await get_render(view)
        follow_render = follow_or_cancel if cancel_on_interrupt else follow
        ended = await follow_render(api, render.id, view, timeout_s=options.timeout_s)
        require_complete(ended)
        if options.output is not None:
            await save_and_report(api, ended, options.output, view)
    if options.output is None and not options.as_json:
        typer.echo(ended.output_url)


async def save_and_report(api: AsyncClient, render: Render, path: Path, view: View) -> None:
    """Save the output and show its path and size."""
    saved = await save(api, render, path)
    if saved != STDOUT:
        view.write_line(f"Saved {saved.name}: {describe_output(render)}.")
