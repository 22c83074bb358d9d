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
from starlette.types import ASGIApp

from app import create_app
from auth.authenticator import Authenticator
from commands.server.serve import listen_for_clients, server_config
from services.clock import SystemClock
from services.compositions.ports import CatalogStore
from services.errors import Unauthenticated
from services.models import Caller, Identity
from services.ports import Clock, RenderBackend, RenderStore
from services.realtime.pubsub import open_pubsub
from services.runtime.data_folder import STORE_FILE, lock_folder, with_own_secret
from services.runtime.services import Services, compose
from services.settings import Settings, load_settings
from services.stores.sqlite import open_sqlite_store
from tests.support.api_client import TEST_TIMEOUT_S
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


@asynccontextmanager
async def open_faked(
    settings: Settings, backend: RenderBackend, *, clock: Clock | None = None, catalogs: CatalogStore | None = None
) -> AsyncIterator[Services]:
    """Open the services of `rendercast dev` with another backend, and clock and catalog as for `rewired`.

    `open_embedded` would open the text renderer too, which soon starts a spare process: 0.3 s of CPU time.
    """
    clock = clock or NewHourClock()
    if settings.graphql.introspection is None:
        settings = settings.replace(introspection=True)
    if settings.pages.studio is None:
        settings = settings.replace(studio=True)
    with lock_folder(settings.storage.data_dir):
        settings = with_own_secret(settings)
        async with (
            open_sqlite_store(settings.storage.data_dir / STORE_FILE, SystemClock(), webhooks_enabled=False) as store,
            open_pubsub("memory://") as pubsub,
        ):
            yield compose(
                settings,
                clock=clock,
                store=store,
                pubsub=pubsub,
                backend=backend,
                with_worker=True,
                catalogs=catalogs or MemoryCatalogStore(clock),
            )


class QuietServer(uvicorn.Server):
    """uvicorn without signal handlers, which stops at once: uvicorn reads `should_exit` every 0.1 s."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()
        self._stopping = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        finally:
            self.ready.set()

    async def main_loop(self) -> None:
        ticks = asyncio.ensure_future(super().main_loop())
        await self._stopping.wait()
        ticks.cancel()

    def stop(self) -> None:
        self.should_exit = True
        self._stopping.set()


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
    app = create_app(services, authenticate=authenticate)
    async with serve_app(app, services.settings.replace(port=port), send_buffer_bytes=send_buffer_bytes) as url:
        yield url


@asynccontextmanager
async def serve_app(app: ASGIApp, settings: Settings, *, send_buffer_bytes: int | None = None) -> AsyncIterator[str]:
    """Serve an application with these settings, and yield its URL. `send_buffer_bytes` is as for `serve`."""
    server = QuietServer(server_config(app, settings))
    with listen_for_clients(settings.server) as listener:
        if send_buffer_bytes is not None:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer_bytes)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        async with asyncio.timeout(TEST_TIMEOUT_S):
            await server.ready.wait()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.stop()
            await serving


@asynccontextmanager
async def serve_faked(
    folder: Path, settings: Mapping[str, object], *, send_buffer_bytes: int | None = None
) -> AsyncIterator[str]:
    """Serve with these settings and a fake backend, and yield the URL."""
    async with (
        open_faked(load_settings(data_dir=folder, **settings), FakeBackend()) as services,
        serve(services, send_buffer_bytes=send_buffer_bytes) as url,
    ):
        yield url
