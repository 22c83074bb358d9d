"""The real application on a real port, in the test's process and event loop, with replaceable services."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import uvicorn
from starlette.requests import HTTPConnection

from app import create_app
from auth.authenticator import Authenticator
from commands.server.serve import listen_for_clients, server_config
from services.clock import SystemClock
from services.compositions.ports import CatalogStore
from services.errors import Unauthenticated
from services.models import Caller, Identity
from services.ports import Clock, RenderBackend, RenderStore
from services.runtime.adapters import open_embedded
from services.runtime.services import Services, compose
from services.settings import load_settings
from tests.support.api_client import RETRY_S, TEST_TIMEOUT_S
from tests.support.fake_backend import FakeBackend
from tests.support.memory_catalog import MemoryCatalogStore


async def named_user(connection: HTTPConnection, params: Mapping[str, object]) -> Identity:
    """Authenticate by the name in the header X-User, or in `connection_init` as `user`, without verification."""
    user = params.get("user") if connection.scope["type"] == "websocket" else connection.headers.get("x-user")
    if not isinstance(user, str) or not user:
        raise Unauthenticated
    return Identity(caller=Caller(id=user))


class NewHourClock(SystemClock):
    """The system time, shifted to start at a full hour, so that no quota window ends during a test."""

    def __init__(self) -> None:
        now = super().now()
        self._shift = now - now.replace(minute=0, second=0, microsecond=0)

    def now(self) -> datetime:
        return super().now() - self._shift


def rewired(
    services: Services,
    *,
    store: RenderStore | None = None,
    backend: RenderBackend | None = None,
    clock: Clock | None = None,
    catalogs: CatalogStore | None = None,
) -> Services:
    """Return the services with another store, backend or clock; by default a clock that starts at a full hour.

    Without `catalogs`, the catalog is stored in memory.
    """
    clock = clock or NewHourClock()
    return compose(
        services.settings,
        clock=clock,
        store=store or services.store,
        pubsub=services.pubsub,
        backend=backend or services.backend,
        with_worker=services.worker is not None,
        catalogs=catalogs or MemoryCatalogStore(clock),
    )


class QuietServer(uvicorn.Server):
    """uvicorn without signal handlers."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serve(
    services: Services,
    *,
    authenticate: Authenticator = named_user,
    port: int = 0,
    send_buffer_bytes: int | None = None,
) -> AsyncIterator[str]:
    """Serve the application with the configuration of `rendercast dev`, and yield its URL.

    `send_buffer_bytes` limits the kernel's buffer for a client that doesn't read, by default megabytes.
    """
    config = server_config(create_app(services, authenticate=authenticate), services.settings)
    server = QuietServer(config)
    with listen_for_clients(services.settings.replace(port=port).server) as listener:
        if send_buffer_bytes is not None:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer_bytes)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        async with asyncio.timeout(TEST_TIMEOUT_S):
            while not server.started and not serving.done():  # noqa: ASYNC110  # uvicorn has no event for it
                await asyncio.sleep(RETRY_S)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving


@asynccontextmanager
async def serve_faked(
    folder: Path, settings: Mapping[str, object], *, send_buffer_bytes: int | None = None
) -> AsyncIterator[str]:
    """Serve with these settings and a fake backend, and yield the URL."""
    async with (
        open_embedded(load_settings(data_dir=folder, **settings)) as services,
        serve(rewired(services, backend=FakeBackend()), send_buffer_bytes=send_buffer_bytes) as url,
    ):
        yield url
