"""The real application on a real port, in this process and event loop, so that tests can steer what is behind it."""

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
from auth.bearer import Authenticate
from commands.server.serve import listen, server_config
from services.clock import SystemClock
from services.errors import Unauthenticated
from services.identity import Identity
from services.models import Caller
from services.ports import Clock, RenderBackend, RenderStore
from services.runtime.adapters import open_embedded
from services.runtime.services import Services, compose
from services.settings import load_settings
from tests.support.api_client import PATIENCE_S, RETRY_S
from tests.support.fake_backend import FakeBackend


async def named_user(connection: HTTPConnection, params: Mapping[str, object]) -> Identity:
    """Believe whoever the client says it is: in the header X-User, or in `connection_init` as `user`."""
    user = params.get("user") if connection.scope["type"] == "websocket" else connection.headers.get("x-user")
    if not isinstance(user, str) or not user:
        raise Unauthenticated
    return Identity(caller=Caller(id=user))


class NewHourClock(SystemClock):
    """The machine's time, moved so that it was a full hour when the clock was made: no quota window ends in a test."""

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
) -> Services:
    """Return the services on another store or backend, and on a clock that stands on the hour when they are made."""
    return compose(
        services.settings,
        clock=clock or NewHourClock(),
        store=store or services.store,
        pubsub=services.pubsub,
        backend=backend or services.backend,
        with_worker=services.worker is not None,
    )


class QuietServer(uvicorn.Server):
    """uvicorn that leaves signals to pytest."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serve(
    services: Services,
    *,
    authenticate: Authenticate = named_user,
    port: int = 0,
    send_buffer_bytes: int | None = None,
) -> AsyncIterator[str]:
    """Serve the application as `rendercast dev` does, and return its URL.

    The kernel keeps megabytes for a client that doesn't read, unless `send_buffer_bytes` says otherwise.
    """
    config = server_config(create_app(services, authenticate=authenticate), services.settings)
    server = QuietServer(config)
    with listen(services.settings.replace(port=port).server) as listener:
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


@asynccontextmanager
async def serve_faked(
    folder: Path, settings: Mapping[str, object], *, send_buffer_bytes: int | None = None
) -> AsyncIterator[str]:
    """Serve with these settings and a backend that does nothing by itself, and return the URL."""
    async with (
        open_embedded(load_settings(data_dir=folder, **settings)) as services,
        serve(rewired(services, backend=FakeBackend()), send_buffer_bytes=send_buffer_bytes) as url,
    ):
        yield url
