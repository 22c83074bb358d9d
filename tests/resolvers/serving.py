"""The real application on a real port, in this process and event loop, so that tests can steer what is behind it."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta

import uvicorn
from starlette.requests import HTTPConnection

from app import create_app
from cli import MAX_WEBSOCKET_MESSAGE_BYTES
from services.carrier import CarryRules
from services.clock import SystemClock
from services.hub import ProgressHub
from services.models import Caller
from services.ports import Clock, RenderBackend, RenderStore
from services.runtime import Services
from services.tracker import Tracker, WorkerRules
from tests.resolvers.clients import PATIENCE_S, RETRY_S


async def named_user(connection: HTTPConnection, params: Mapping[str, object]) -> Caller | None:
    """Believe whoever the client says it is: in the header X-User, or in `connection_init` as `user`."""
    user = params.get("user") if connection.scope["type"] == "websocket" else connection.headers.get("x-user")
    return Caller(id=user) if isinstance(user, str) and user else None


def with_store(services: Services, store: RenderStore) -> Services:
    """Return the services with another store behind the API; the worker keeps the old one."""
    hub = ProgressHub(
        store=store,
        pubsub=services.hub._pubsub,
        clock=services.renders.clock,
        check_interval=timedelta(seconds=services.settings.check_interval_s),
    )
    return replace(services, store=store, hub=hub, renders=replace(services.renders, store=store, hub=hub))


class NewHourClock(SystemClock):
    """The machine's time, moved so that it was a full hour when the clock was made: no quota window ends in a test."""

    def __init__(self) -> None:
        now = super().now()
        self._shift = now - now.replace(minute=0, second=0, microsecond=0)

    def now(self) -> datetime:
        return super().now() - self._shift


def with_backend(
    services: Services, backend: RenderBackend, *, clock: Clock | None = None, store: RenderStore | None = None
) -> Services:
    """Return the services with another backend and a clock on the hour, and for the worker maybe another store."""
    clock = clock or NewHourClock()
    tracker = Tracker(
        worker="test",
        store=store or services.store,
        backend=backend,
        hub=services.hub,
        pubsub=services.hub._pubsub,
        clock=clock,
        rules=WorkerRules(
            lease=timedelta(seconds=services.settings.lease_s),
            look_interval=timedelta(seconds=services.settings.look_interval_s),
            carry=CarryRules(
                queue_timeout=timedelta(seconds=services.settings.queue_timeout_s),
                max_attempts=services.settings.max_attempts,
            ),
        ),
    )
    return replace(services, renders=replace(services.renders, backend=backend, clock=clock), tracker=tracker)


class QuietServer(uvicorn.Server):
    """uvicorn that leaves signals to pytest."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serve(services: Services, *, send_buffer_bytes: int | None = None) -> AsyncIterator[str]:
    """Serve the application as `rendercast dev` does, and return its URL.

    The kernel keeps megabytes for a client that doesn't read, unless `send_buffer_bytes` says otherwise.
    """
    config = uvicorn.Config(
        create_app(services, authenticate=named_user),
        lifespan="on",
        log_config=None,
        timeout_graceful_shutdown=5,
        ws="websockets-sansio",
        ws_max_size=MAX_WEBSOCKET_MESSAGE_BYTES,
        ws_per_message_deflate=False,
    )
    server = QuietServer(config)
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as cli.py does
        if send_buffer_bytes is not None:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer_bytes)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        async with asyncio.timeout(PATIENCE_S):
            while not server.started and not serving.done():  # noqa: ASYNC110  # uvicorn has no event for it
                await asyncio.sleep(RETRY_S)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving
