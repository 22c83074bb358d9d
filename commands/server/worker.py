"""`rendercast worker`: a process that runs renders and serves no clients."""

import asyncio
import contextlib
import gc
import socket
from collections.abc import Mapping

import typer
import uvloop

from commands.server.logs import log_setting_warnings, log_to_stderr
from commands.server.metrics_server import listen_for_metrics, serve_metrics
from commands.server.stop_signals import handled_stop_signals
from services.background.supervision import BackgroundLoop, supervise
from services.runtime.adapters import open_production
from services.settings import Settings


def run_worker(settings: Settings) -> None:
    """Run renders until SIGINT or SIGTERM. Raises `StartupError`."""
    log_to_stderr(settings.logging, default_format="json")
    log_setting_warnings(settings, serves=False)
    with listen_for_metrics(settings.metrics) as metrics_listener:
        uvloop.run(_work(settings, metrics_listener))


async def _work(settings: Settings, metrics_listener: socket.socket | None) -> None:
    async with (
        open_production(settings, with_worker=True) as services,
        serve_metrics(metrics_listener, services),
    ):
        if services.worker is None:
            raise AssertionError  # `open_production` raises if there is no worker
        loops = asyncio.ensure_future(_run_loops(services.loops))
        with handled_stop_signals(loops.cancel, loops.cancel), contextlib.suppress(asyncio.CancelledError):
            typer.echo(f"Worker {services.worker.id} is running. Ctrl-C stops it.")
            gc.freeze()
            gc.enable()  # cli.py disables it for the start
            await loops


async def _run_loops(loops: Mapping[str, BackgroundLoop]) -> None:
    """Run the loops until cancelled."""
    async with asyncio.TaskGroup() as tasks:
        for name, loop in loops.items():
            tasks.create_task(supervise(name, loop.run))
