"""`rendercast list`, `cancel` and `quota`."""

import shutil
import sys
from contextlib import aclosing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from commands.client.options import DEFAULT_URL, Json, RenderId, Token, Url, read_server
from services.models import RenderStatus

if TYPE_CHECKING:
    from commands.client.api import Api
    from commands.client.responses import Quota, Render

LIST_HELP = """\b
Examples:
  rendercast list
  rendercast list --status failed --all --json | jq -r .error.code"""
CANCEL_HELP = """\b
Example:
  rendercast cancel 01m817gzatj1v633w9kvyqtevh

Exit codes: 0 cancelled; 1 the render ended with another status or does not exist; 3 the server can't be reached."""
QUOTA_HELP = """\b
Examples:
  rendercast quota
  rendercast quota --json | jq .remaining"""

HEADER = ("id", "status", "progress", "created", "format", "size", "content")
WIDTHS = (26, 9, 8, 16, 6, 9)
MAX_TEXT_CELLS = 60  # terminal cells
CANCEL_TIMEOUT_S = 30.0
MINUTE_S = 60


def list_renders(
    status: Annotated[
        list[RenderStatus] | None, typer.Option(help="Only renders with this status; may be repeated.")
    ] = None,
    first: Annotated[int, typer.Option(min=1, help="Maximum number of renders.")] = 20,
    list_all: Annotated[bool, typer.Option("--all", help="List all renders.")] = False,
    as_json: Json = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """List your renders, newest first."""
    server = read_server(url, token)
    from commands.client.run import run
    from commands.client.views import write_json

    async def work(api: "Api") -> None:
        statuses = [each.name for each in status or ()]
        async with aclosing(api.list(first=None if list_all else first, statuses=statuses)) as renders:
            is_first = True
            async for render in renders:
                if as_json:
                    write_json(render.raw)
                    continue
                if is_first:
                    typer.echo(_row(HEADER))
                    is_first = False
                typer.echo(_row(_cells(render)))

    run(work, server=server, as_json=as_json)


def cancel(render_id: RenderId, as_json: Json = False, url: Url = DEFAULT_URL, token: Token = None) -> None:
    """Cancel a render and wait until it has ended."""
    server = read_server(url, token)
    from commands.client.errors import CommandError
    from commands.client.follow import follow
    from commands.client.run import run
    from commands.client.views import SilentView, write_json

    async def work(api: "Api") -> None:
        render = await api.cancel(render_id)
        if not render.has_ended:
            render = await follow(api, render_id, SilentView(), timeout_s=CANCEL_TIMEOUT_S)
        if as_json:
            write_json(render.raw)
        if render.status != "CANCELLED":
            message = f"The render ended before it could be cancelled. Its status is {render.status.lower()}."
            raise CommandError(message, code="RENDER_ALREADY_FINISHED", renderId=render_id)
        if not as_json:
            typer.echo(f"{render_id} is cancelled.")

    run(work, server=server, as_json=as_json)


def quota(as_json: Json = False, url: Url = DEFAULT_URL, token: Token = None) -> None:
    """Show how many renders you can start."""
    server = read_server(url, token)
    from commands.client.run import run
    from commands.client.views import write_json

    async def work(api: "Api") -> None:
        found = await api.quota()
        write_json(found.raw) if as_json else typer.echo(_describe(found))

    run(work, server=server, as_json=as_json)


def _cells(render: "Render") -> tuple[str, ...]:
    from commands.client.views import size

    return (
        render.id,
        render.status.lower(),
        f"{render.progress} %",
        f"{render.created_at.astimezone():%Y-%m-%d %H:%M}",
        render.output_format.lower(),
        "" if render.output_size_bytes is None else size(render.output_size_bytes),
        render.composition_id if render.text is None else " ".join(render.text.split()),
    )


def _row(cells: tuple[str, ...]) -> str:
    """Return a line of the table. The content is the last column, because its characters may be wider than one cell."""
    from rich.cells import cell_len, set_cell_size

    from commands.client.views import printable

    columns = "  ".join(printable(cell).ljust(width) for cell, width in zip(cells, WIDTHS, strict=False)) + "  "
    text = printable(cells[-1])
    width = max(10, shutil.get_terminal_size().columns - len(columns) - 1) if sys.stdout.isatty() else MAX_TEXT_CELLS
    if cell_len(text) > width:
        text = set_cell_size(text, width - 1).rstrip() + "…"
    return (columns + text).rstrip()


def _describe(quota: "Quota") -> str:
    minutes = max(1, round((quota.resets_at - datetime.now(UTC)).total_seconds() / MINUTE_S))
    resets = f"{quota.resets_at.astimezone():%H:%M}"
    return f"{quota.remaining} of {quota.limit} renders left until {resets}, in {minutes} min."
