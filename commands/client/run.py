"""Runs a client command: opens the API, handles signals, and prints errors."""

import asyncio
import signal
from collections.abc import Awaitable, Callable

import typer
from rendercast.client import AsyncClient, RendercastError
from rendercast.client.async_client import RETRY_TIMEOUT_S

from commands.client.errors import InterruptedCommandError, details_of, exit_code_of, message_of
from commands.client.options import Server
from commands.client.views import printable, write_json


def run(
    work: Callable[[AsyncClient], Awaitable[None]],
    *,
    server: Server,
    as_json: bool,
    retry_timeout_s: float = RETRY_TIMEOUT_S,
) -> None:
    """Run `work` with the server's API. If it fails, print the error and exit with its exit code."""
    if server.sends_token_unencrypted:
        typer.echo(f"Warning: your token is sent to {server.url} without encryption. Use https.", err=True)
    try:
        asyncio.run(_run_until_signal(_run_with_api(server, work, retry_timeout_s)))
    except RendercastError as error:
        message = message_of(error, server)
        typer.echo(printable(f"rendercast: {message}"), err=True)
        if as_json:
            write_json({"error": {"code": error.code, "message": message, **details_of(error)}})
        raise typer.Exit(exit_code_of(error)) from None


async def _run_with_api(server: Server, work: Callable[[AsyncClient], Awaitable[None]], retry_timeout_s: float) -> None:
    async with AsyncClient(server.url, token=server.token, retry_timeout_s=retry_timeout_s) as api:
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
