"""`rendercast render`, `watch` and `download`: render a text, follow a render, save its video."""

import math
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands.client.options import DEFAULT_URL, Json, Output, Quiet, RenderId, Timeout, Token, Url, read_server
from services.models import AnimationStyle

if TYPE_CHECKING:
    from commands.client.api import Api

TIMEOUT_S = 3600
FPS = 30  # the only rate that servers accept
DEFAULT_SECONDS = 3
APPEARANCE_PANEL = "Appearance"
EXIT_CODES = (
    "Exit codes: 0 success; 1 the render failed or was cancelled, or the server returned an error; 2 wrong usage; 3 "
    "the server can't be reached, or the timeout has passed; 4 quota exceeded; 130 Ctrl-C."
)
RENDER_HELP = f"""\b
Examples:
  rendercast render "Hello" --style typewriter -o hello.mp4
  rendercast render - --seconds 5 -o poem.mp4 < poem.txt
  rendercast render "Hello" --json | jq -r .progress

{EXIT_CODES}"""
WATCH_HELP = f"""\b
Example:
  rendercast watch 01m817gzatj1v633w9kvyqtevh -o hello.mp4

{EXIT_CODES}"""
DOWNLOAD_HELP = f"""\b
Examples:
  rendercast download 01m817gzatj1v633w9kvyqtevh -o hello.mp4
  rendercast download 01m817gzatj1v633w9kvyqtevh -o - | mpv -

{EXIT_CODES}"""


def render(
    text: Annotated[str, typer.Argument(help="Text to render; `-` reads standard input.", metavar="TEXT")],
    style: Annotated[
        AnimationStyle, typer.Option(help="Animation of the text.", rich_help_panel=APPEARANCE_PANEL)
    ] = AnimationStyle.FADE_IN,
    font: Annotated[str, typer.Option(help="Font family.", rich_help_panel=APPEARANCE_PANEL)] = "Inter",
    size: Annotated[float, typer.Option(help="Font size in pixels.", rich_help_panel=APPEARANCE_PANEL)] = 96,
    color: Annotated[str, typer.Option(help="CSS colour of the text.", rich_help_panel=APPEARANCE_PANEL)] = "white",
    background: Annotated[
        str | None, typer.Option(help="CSS colour of the background; default: black.", rich_help_panel=APPEARANCE_PANEL)
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(help=f"Duration; default: {DEFAULT_SECONDS}.", rich_help_panel=APPEARANCE_PANEL)
    ] = None,
    frames: Annotated[
        int | None, typer.Option(help="Duration in frames, instead of --seconds.", rich_help_panel=APPEARANCE_PANEL)
    ] = None,
    output: Output = None,
    as_json: Json = False,
    quiet: Quiet = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Start the render, print its ID and exit.")] = False,
    timeout: Timeout = TIMEOUT_S,
    idempotency_key: Annotated[
        str | None,
        typer.Option(help="Starts with the same key return the same render; default: a new key.", metavar="KEY"),
    ] = None,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Render a text, show its progress, and save the video or print its URL. Ctrl-C cancels the render."""
    server = read_server(url, token)
    if output is not None and no_wait:
        raise typer.BadParameter("It can't be combined with --output.", param_hint="--no-wait")
    props = {
        "text": sys.stdin.read().removesuffix("\n") if text == "-" else text,
        "style": style.name,
        "fontFamily": font,
        "fontSize": size,
        "color": color,
        "backgroundColor": background,
        "durationInFrames": _frames(seconds, frames),
    }
    key = idempotency_key or str(uuid.uuid4())
    from commands.client.download import check_target
    from commands.client.follow import FollowOptions, follow_and_save, start
    from commands.client.run import run
    from commands.client.views import SilentView, write_json

    check_target(output)
    options = FollowOptions(output=output, as_json=as_json, quiet=quiet, timeout_s=timeout)

    async def start_only(api: "Api") -> None:
        started = await start(api, props, SilentView(), key=key)
        write_json(started.raw) if as_json else typer.echo(started.id)

    async def start_and_follow(api: "Api") -> None:
        await follow_and_save(api, lambda view: start(api, props, view, key=key), options, cancel_on_interrupt=True)

    run(start_only if no_wait else start_and_follow, server=server, as_json=as_json)


def watch(
    render_id: RenderId,
    output: Output = None,
    as_json: Json = False,
    quiet: Quiet = False,
    timeout: Timeout = TIMEOUT_S,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Show the progress of a render until it ends. Ctrl-C does not cancel the render."""
    server = read_server(url, token)
    from commands.client.download import check_target
    from commands.client.follow import FollowOptions, follow_and_save
    from commands.client.run import run

    check_target(output)
    options = FollowOptions(output=output, as_json=as_json, quiet=quiet, timeout_s=timeout)
    run(lambda api: follow_and_save(api, lambda _: api.get(render_id), options), server=server, as_json=as_json)


def download(
    render_id: RenderId,
    output: Output = Path(),
    as_json: Json = False,
    quiet: Quiet = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Save the video of a complete render. The default file is ID.mp4 in the current folder."""
    server = read_server(url, token)
    from commands.client.download import check_target
    from commands.client.follow import require_complete, save_and_report
    from commands.client.run import run
    from commands.client.views import open_view

    check_target(output)

    async def work(api: "Api") -> None:
        render = await api.get(render_id)
        require_complete(render)
        with open_view(as_json=as_json, quiet=quiet) as view:
            view.show(render)
            await save_and_report(api, render, output or Path(), view)

    run(work, server=server, as_json=as_json)


def _frames(seconds: float | None, frames: int | None) -> int:
    """Return the duration in frames. The server checks its limits."""
    if frames is None:
        seconds = DEFAULT_SECONDS if seconds is None else seconds
        if not math.isfinite(seconds):
            raise typer.BadParameter("It must be a number.", param_hint="--seconds")
        return round(seconds * FPS)
    if seconds is not None:
        raise typer.BadParameter("It can't be combined with --seconds.", param_hint="--frames")
    return frames
