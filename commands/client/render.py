"""`rendercast render`, `retry`, `watch` and `download`: start a render, follow it, save its output."""

from pathlib import Path
from typing import TYPE_CHECKING, cast

import typer

from commands.client.options import DEFAULT_URL, Json, Output, Quiet, RenderId, Timeout, Token, Url, read_server
from commands.client.output_options import output_input, read_format
from commands.client.render_options import (
    Assignments,
    Background,
    Bitrate,
    Color,
    CompositionOption,
    Crf,
    EveryNthFrame,
    File,
    Font,
    Fps,
    Frame,
    Frames,
    Height,
    IdempotencyKey,
    Italic,
    Loops,
    Muted,
    NoWait,
    OutputFormatOption,
    Profile,
    PropsFile,
    Quality,
    Scale,
    Seconds,
    Size,
    Style,
    Text,
    Transparent,
    Weight,
    Width,
)
from commands.client.start_input import (
    AnimationChoice,
    CompositionChoice,
    read_animation,
    read_composition_choice,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from rendercast.client import AsyncClient, OutputInput, Render

    from commands.client.options import Server
    from commands.client.views import View

TIMEOUT_S = 3600
EXIT_CODES = (
    "Exit codes: 0 success; 1 the render failed or was cancelled, or the server returned an error; 2 wrong usage; 3 "
    "the server can't be reached, or the timeout has passed; 4 quota exceeded; 130 Ctrl-C."
)
RENDER_HELP = f"""\b
Examples:
  rendercast render "Hello" --style typewriter -o hello.mp4
  rendercast render - --seconds 5 -o poem.mp4 < poem.txt
  rendercast render "Hello" --json | jq -r .progress
  rendercast render "Hello" --transparent -o hello.webm
  rendercast render -c TextAnimation --set text=Hi --output png --frame -1 -o hi.png

{EXIT_CODES}"""
RETRY_HELP = f"""\b
Example:
  rendercast retry 01m817gzatj1v633w9kvyqtevh -o hello.mp4

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
    text: Text = None,
    composition: CompositionOption = None,
    props: PropsFile = None,
    assignments: Assignments = None,
    style: Style = None,
    font: Font = None,
    weight: Weight = None,
    italic: Italic = False,
    size: Size = None,
    color: Color = None,
    background: Background = None,
    seconds: Seconds = None,
    frames: Frames = None,
    output: OutputFormatOption = None,
    file: File = None,
    width: Width = None,
    height: Height = None,
    fps: Fps = None,
    scale: Scale = None,
    crf: Crf = None,
    bitrate: Bitrate = None,
    transparent: Transparent = False,
    muted: Muted = False,
    prores_profile: Profile = None,
    every_nth_frame: EveryNthFrame = None,
    loops: Loops = None,
    frame: Frame = None,
    quality: Quality = None,
    as_json: Json = False,
    quiet: Quiet = False,
    no_wait: NoWait = False,
    timeout: Timeout = TIMEOUT_S,
    idempotency_key: IdempotencyKey = None,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Render a text or a composition, show the progress, and save the output or print its URL.

    Ctrl-C cancels the render.
    """
    server = read_server(url, token)
    chosen, file = read_format(output, file)
    if file is not None and no_wait:
        raise typer.BadParameter("It can't be combined with -o.", param_hint="--no-wait")
    output_options = {
        "width": width,
        "height": height,
        "fps": fps,
        "scale": scale,
        "crf": crf,
        "bitrate_kbps": bitrate,
        "transparent": transparent,
        "muted": muted,
        "prores_profile": prores_profile and prores_profile.name,
        "every_nth_frame": every_nth_frame,
        "loops": loops,
        "frame": frame,
        "quality": quality,
    }
    text_options = {
        "style": style and style.name,
        "fontFamily": font,
        "fontWeight": weight,
        "italic": italic or None,
        "fontSize": size,
        "color": color,
        "backgroundColor": background,
        "seconds": seconds,
        "frames": frames,
    }
    made = cast("OutputInput | None", output_input(chosen, output_options))
    if composition is None:
        content: AnimationChoice | CompositionChoice = read_animation(
            text, text_options, has_props=bool(props or assignments)
        )
    else:
        content = read_composition_choice(composition, text, text_options, props=props, assignments=assignments or ())
    from commands.client.download import check_target
    from commands.client.follow import FollowOptions, follow_and_save, start
    from commands.client.run import run
    from commands.client.views import SilentView, write_json

    check_target(file)
    options = FollowOptions(output=file, as_json=as_json, quiet=quiet, timeout_s=timeout)

    async def begin(api: "AsyncClient", view: "View") -> "Render":
        given = await content.start_input(api)
        return await start(api, api.start(given, output=made, idempotency_key=idempotency_key), view)

    async def start_only(api: "AsyncClient") -> None:
        started = await begin(api, SilentView())
        write_json(started.raw) if as_json else typer.echo(started.id)

    async def start_and_follow(api: "AsyncClient") -> None:
        await follow_and_save(api, lambda view: begin(api, view), options, cancel_on_interrupt=True)

    run(start_only if no_wait else start_and_follow, server=server, as_json=as_json)


def retry(
    render_id: RenderId,
    output: Output = None,
    as_json: Json = False,
    quiet: Quiet = False,
    timeout: Timeout = TIMEOUT_S,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Render the input of a failed or cancelled render again. Repeating the command follows the same new render."""
    server = read_server(url, token)
    _follow(lambda api: api.retry(render_id), server, output=output, as_json=as_json, quiet=quiet, timeout=timeout)


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
    _follow(lambda api: api.get(render_id), server, output=output, as_json=as_json, quiet=quiet, timeout=timeout)


def _follow(
    get_render: "Callable[[AsyncClient], Awaitable[Render]]",
    server: "Server",
    *,
    output: Path | None,
    as_json: bool,
    quiet: bool,
    timeout: float,
) -> None:
    """Show the progress of the render that `get_render` returns until it ends, and save its output or print its URL."""
    from commands.client.download import check_target
    from commands.client.follow import FollowOptions, follow_and_save
    from commands.client.run import run

    check_target(output)
    options = FollowOptions(output=output, as_json=as_json, quiet=quiet, timeout_s=timeout)
    run(lambda api: follow_and_save(api, lambda _: get_render(api), options), server=server, as_json=as_json)


def download(
    render_id: RenderId,
    output: Output = Path(),
    as_json: Json = False,
    quiet: Quiet = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Save the output of a complete render. The default file is ID.mp4, or with another extension, in this folder."""
    server = read_server(url, token)
    from commands.client.download import check_target
    from commands.client.follow import require_complete, save_and_report
    from commands.client.run import run
    from commands.client.views import open_view

    check_target(output)

    async def work(api: "AsyncClient") -> None:
        render = await api.get(render_id)
        require_complete(render)
        with open_view(as_json=as_json, quiet=quiet) as view:
            view.show(render)
            await save_and_report(api, render, output or Path(), view)

    run(work, server=server, as_json=as_json)
