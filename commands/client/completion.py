"""Values of arguments and options for the completion of shells."""

import os

import typer

from commands.client.options import DEFAULT_URL, read_server
from commands.client.output_options import NAMES

TIMEOUT_S = 1.5  # a shell waits for the completion


def complete_format(incomplete: str) -> list[str]:
    """Return the names of output formats."""
    return [name for name in NAMES if name.startswith(incomplete.lower())]


def complete_composition(context: typer.Context, incomplete: str) -> list[str]:
    """Return the ids of the server's compositions; none if it can't be asked in time, whatever the reason."""
    import asyncio

    from rendercast.client import AsyncClient

    url = context.params.get("url") or os.environ.get("RENDERCAST_URL") or DEFAULT_URL
    token = context.params.get("token") or os.environ.get("RENDERCAST_TOKEN")

    async def read() -> list[str]:
        server = read_server(url, token)
        async with asyncio.timeout(TIMEOUT_S), AsyncClient(server.url, token=server.token) as api:
            return list(await api.composition_ids())

    try:
        return [each for each in asyncio.run(read()) if each.startswith(incomplete)]
    except Exception:  # noqa: BLE001  # a message would appear in the middle of the line that is being typed
        return []
