"""`rendercast list`, `open`, `cancel`, `delete` and `quota`."""

import shutil
import sys
from contextlib import aclosing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commands.client.options import DEFAULT_URL, Json, RenderId, Token, Url, read_server
from services.models import RenderStatus

if TYPE_CHECKING:
    from rendercast.client import AsyncClient, RenderQuota

    from commands.client.options import Server

LIST_HELP = """\b
Examples:
  rendercast list
  rendercast list --status failed --all --json | jq -r .error.code"""
CANCEL_HELP = """\b
Example:
  rendercast cancel 01m817gzatj1v633w9kvyqtevh
  rendercast cancel --batch rows-9f439337b4b7

Exit codes: 0 cancelled; 1 the render ended with another status or does not exist; 3 the server can't be reached."""
DELETE_HELP = """\b
Examples:
  rendercast delete 01m817gzatj1v633w9kvyqtevh
  rendercast list --status failed --all --json | jq -r .id | xargs -r rendercast delete

Exit codes: 0 all are deleted; 1 a render is running or does not exist; 3 the server can't be reached."""
OPEN_HELP = """\b
Example:
  rendercast open 01m817gzatj1v633w9kvyqtevh"""
QUOTA_HELP = """\b
Examples:
  rendercast quota
  rendercast quota --json | jq .remaining"""

CANCEL_TIMEOUT_S = 30.0
MINUTE_S = 60


def list_renders(
    status: Annotated[
        list[RenderStatus] | None,
        typer.Option(
            metavar="STATUS",
            help=f"Only renders with this status: {', '.join(RenderStatus)}. May be repeated.",
        ),
    ] = None,
    first: Annotated[int, typer.Option(min=1, help="Maximum number of renders.")] = 20,
    list_all: Annotated[bool, typer.Option("--all", help="List all renders.")] = False,
    as_json: Json = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """List your renders, newest first."""
    server = read_server(url, token)
    from commands.client.render_table import RenderTable
    from commands.client.run import run
    from commands.client.views import write_json

    table = RenderTable(shutil.get_terminal_size().columns if sys.stdout.isatty() else None)

    async def work(api: "AsyncClient") -> None:
        statuses: list[Any] = [each.name for each in status or ()]
        async with aclosing(api.list(first=None if list_all else first, status=statuses)) as renders:
            is_first = True
            async for render in renders:
                if as_json:
                    write_json(render.raw)
                    continue
                if is_first:
                    typer.echo(table.header())
                    is_first = False
                typer.echo(table.row(render))

    run(work, server=server, as_json=as_json)


def cancel(
    render_id: Annotated[
        str | None, typer.Argument(help="ID of a render, from `rendercast list`.", metavar="ID")
    ] = None,
    batch: Annotated[
        str | None, typer.Option("--batch", metavar="ID", help="Cancel all renders of this batch instead.")
    ] = None,
    as_json: Json = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Cancel a render and wait until it has ended, or cancel a batch."""
    if (render_id is None) is (batch is None):
        raise typer.BadParameter("Give the ID of a render, or --batch with that of a batch.")
    server = read_server(url, token)
    if render_id is not None:
        _cancel_render(render_id, server, as_json=as_json)
    elif batch is not None:
        _cancel_batch(batch, server, as_json=as_json)


def _cancel_batch(batch_id: str, server: "Server", *, as_json: bool) -> None:
    from commands.client.run import run
    from commands.client.views import write_json

    async def work(api: "AsyncClient") -> None:
        done = await api.cancel_batch(batch_id)
        if as_json:
            write_json({"batchId": batch_id, "cancelled": done.cancelled, "stopping": done.stopping})
        else:
            queued = f"{done.cancelled} queued renders of {batch_id} are cancelled"
            typer.echo(f"{queued}, and {done.stopping} running ones will be.")

    run(work, server=server, as_json=as_json)


def _cancel_render(render_id: str, server: "Server", *, as_json: bool) -> None:
    from commands.client.errors import CommandError
    from commands.client.follow import follow
    from commands.client.run import run
    from commands.client.views import SilentView, write_json

    async def work(api: "AsyncClient") -> None:
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


def delete(
    render_ids: Annotated[list[str], typer.Argument(help="IDs of renders that have ended.", metavar="ID…")],
    as_json: Json = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Delete renders and their outputs, up to the first that can't be deleted. Does not return quota."""
    server = read_server(url, token)
    from commands.client.run import run
    from commands.client.views import write_json

    async def work(api: "AsyncClient") -> None:
        for render_id in render_ids:
            await api.delete(render_id)
            write_json({"renderId": render_id}) if as_json else typer.echo(f"{render_id} is deleted.")

    run(work, server=server, as_json=as_json)


def open_output(render_id: RenderId, url: Url = DEFAULT_URL, token: Token = None) -> None:
    """Open the output of a complete render in the browser, and print its URL."""
    server = read_server(url, token)
    from commands.client.follow import require_complete
    from commands.client.run import run
    from commands.client.views import printable

    async def work(api: "AsyncClient") -> None:
        require_complete(await api.get(render_id))
        address = (await api.refresh_download_url(render_id)).url
        typer.echo(printable(address))
        if address.startswith(("http://", "https://")):
            typer.launch(address)

    run(work, server=server, as_json=False)


def quota(as_json: Json = False, url: Url = DEFAULT_URL, token: Token = None) -> None:
    """Show how many renders you can start."""
    server = read_server(url, token)
    from commands.client.run import run
    from commands.client.views import write_json

    async def work(api: "AsyncClient") -> None:
        found = await api.quota()
        write_json(found.raw) if as_json else typer.echo(_describe(found))

    run(work, server=server, as_json=as_json)


def _describe(quota: "RenderQuota") -> str:
    minutes = max(1, round((quota.resets_at - datetime.now(UTC)).total_seconds() / MINUTE_S))
    resets = f"{quota.resets_at.astimezone():%H:%M}"
    return f"{quota.remaining} of {quota.limit} renders left until {resets}, in {minutes} min."
