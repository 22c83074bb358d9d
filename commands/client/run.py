"""Runs a client command: opens the API, handles signals, and prints errors."""

import asyncio
import signal
from collections.abc import Awaitable, Callable

import typer

from commands.client.api import Api, open_api
from commands.client.errors import CommandError, InterruptedCommandError
from commands.client.options import Server
from commands.client.views import printable, write_json


def run(work: Callable[[Api], Awaitable[None]], *, server: Server, as_json: bool) -> None:
    """Run `work` with the server's API. If it fails, print the error and exit with its exit code."""
    if server.sends_token_unencrypted:
        typer.echo(f"Warning: your token is sent to {server.name} without encryption. Use https.", err=True)
    try:
        asyncio.run(_run_until_signal(_run_with_api(server, work)))
    except CommandError as error:
        typer.echo(printable(f"rendercast: {error}"), err=True)
        if as_json:
            write_json({"error": {"code": error.code, "message": str(error), **error.details}})
        raise typer.Exit(error.exit_code) from None


async def _run_with_api(server: Server, work: Callable[[Api], Awaitable[None]]) -> None:
    async with open_api(server) as api:
        await work(api)


async def _run_until_signal(work: Awaitable[None]) -> None:
    """Run `work`. Each SIGINT or SIGTERM cancels it: the second one also cancels its cleanup."""
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
        raise InterruptedCommandError(received[0]) from None
