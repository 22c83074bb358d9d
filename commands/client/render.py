"""`rendercast render`, `watch` and `download`: a video from text, or one that was started before."""

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
LOOKS = "How it looks"
CODES = (
    "Exit codes: 0 done; 1 the render failed or was cancelled, or the server said no; 2 wrong usage; 3 the server "
    "can't be reached, or not in time; 4 quota exceeded; 130 Ctrl-C."
)
RENDER_HELP = f"""\b
Examples:
  rendercast render "Hello" --style typewriter -o hello.mp4
  rendercast render - --seconds 5 -o poem.mp4 < poem.txt
  rendercast render "Hello" --json | jq -r .progress

{CODES}"""
WATCH_HELP = f"""\b
Example:
  rendercast watch 01m817gzatj1v633w9kvyqtevh -o hello.mp4

{CODES}"""
DOWNLOAD_HELP = f"""\b
Examples:
  rendercast download 01m817gzatj1v633w9kvyqtevh -o hello.mp4
  rendercast download 01m817gzatj1v633w9kvyqtevh -o - | mpv -

{CODES}"""


def render(
    text: Annotated[str, typer.Argument(help="The text; `-` reads it from standard input.", metavar="TEXT")],
    style: Annotated[
        AnimationStyle, typer.Option(help="How the text appears.", rich_help_panel=LOOKS)
    ] = AnimationStyle.FADE_IN,
    font: Annotated[str, typer.Option(help="Name of a font.", rich_help_panel=LOOKS)] = "Inter",
    size: Annotated[float, typer.Option(help="Size in pixels of the video.", rich_help_panel=LOOKS)] = 96,
    color: Annotated[str, typer.Option(help="CSS colour of the text.", rich_help_panel=LOOKS)] = "white",
    background: Annotated[
        str | None, typer.Option(help="CSS colour behind it; black if left out.", rich_help_panel=LOOKS)
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(help=f"Length; {DEFAULT_SECONDS} if left out.", rich_help_panel=LOOKS)
    ] = None,
    frames: Annotated[int | None, typer.Option(help="The same in frames.", rich_help_panel=LOOKS)] = None,
    output: Output = None,
    as_json: Json = False,
    quiet: Quiet = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Only start it, and print its id.")] = False,
    timeout: Timeout = TIMEOUT_S,
    idempotency_key: Annotated[
        str | None,
        typer.Option(help="The same key gives the same render again; a new one if left out.", metavar="KEY"),
    ] = None,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Render a text, show how far it is, and save the video or print its URL. Ctrl-C cancels it."""
    server = read_server(url, token)
    if output is not None and no_wait:
        raise typer.BadParameter("A video can only be saved if it is waited for.", param_hint="--no-wait")
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
    from commands.client.follow import Wishes, see_through, start
    from commands.client.run import run
    from commands.client.views import Silence, write_json

    check_target(output)
    wishes = Wishes(output=output, as_json=as_json, quiet=quiet, timeout_s=timeout)

    async def begin(api: "Api") -> None:
        started = await start(api, props, Silence(), key=key)
        write_json(started.raw) if as_json else typer.echo(started.id)

    async def see(api: "Api") -> None:
        await see_through(api, lambda view: start(api, props, view, key=key), wishes, cancelling=True)

    run(begin if no_wait else see, server=server, as_json=as_json)


def watch(
    render_id: RenderId,
    output: Output = None,
    as_json: Json = False,
    quiet: Quiet = False,
    timeout: Timeout = TIMEOUT_S,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Show a render that was started before, up to its end. Ctrl-C only ends the watching."""
    server = read_server(url, token)
    from commands.client.download import check_target
    from commands.client.follow import Wishes, see_through
    from commands.client.run import run

    check_target(output)
    wishes = Wishes(output=output, as_json=as_json, quiet=quiet, timeout_s=timeout)
    run(lambda api: see_through(api, lambda _: api.get(render_id), wishes), server=server, as_json=as_json)


def download(
    render_id: RenderId,
    output: Output = Path(),
    as_json: Json = False,
    quiet: Quiet = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Save the video of a render that is complete; in this folder, named by its id, unless --output says otherwise."""
    server = read_server(url, token)
    from commands.client.download import check_target
    from commands.client.follow import deliver, require_complete
    from commands.client.run import run
    from commands.client.views import open_view

    check_target(output)

    async def work(api: "Api") -> None:
        render = await api.get(render_id)
        require_complete(render)
        with open_view(as_json=as_json, quiet=quiet) as view:
            view.show(render)
            await deliver(api, render, output or Path(), view)

    run(work, server=server, as_json=as_json)


def _frames(seconds: float | None, frames: int | None) -> int:
    """Return the length in frames; what is no length is for the server to refuse."""
    if frames is None:
        seconds = DEFAULT_SECONDS if seconds is None else seconds
        if not math.isfinite(seconds):
            raise typer.BadParameter("It must be a number.", param_hint="--seconds")
        return round(seconds * FPS)
    if seconds is not None:
        raise typer.BadParameter("Give either --seconds or --frames.", param_hint="--frames")
    return frames
