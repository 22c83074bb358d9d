"""What every command that asks a server has in common: how it begins, is interrupted, and ends."""

import asyncio
import signal
from collections.abc import Awaitable, Callable

import typer

from commands.client.api import Api, open_api
from commands.client.errors import CommandError, Interrupted
from commands.client.options import Server
from commands.client.views import printable, write_json


def run(work: Callable[[Api], Awaitable[None]], *, server: Server, as_json: bool) -> None:
    """Do the work on the server. If it can't be done, say why and end the command with the exit code for that."""
    if server.is_careless:
        typer.echo(f"Note: your token can be read on the way to {server.name}; use https.", err=True)
    try:
        asyncio.run(_interruptibly(_on(server, work)))
    except CommandError as fault:
        typer.echo(printable(f"rendercast: {fault}"), err=True)
        if as_json:
            write_json({"error": {"code": fault.code, "message": str(fault), **fault.details}})
        raise typer.Exit(fault.status) from None


async def _on(server: Server, work: Callable[[Api], Awaitable[None]]) -> None:
    async with open_api(server) as api:
        await work(api)


async def _interruptibly(work: Awaitable[None]) -> None:
    """Do the work, and cancel it with the first signal; if it takes its time to end, the next signal ends that too."""
    task = asyncio.ensure_future(work)
    received: list[signal.Signals] = []

    def stop(number: signal.Signals) -> None:
        received.append(number)
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop, number)
    try:
        await task
    except asyncio.CancelledError:
        if not received:
            raise
        raise Interrupted(received[0]) from None
