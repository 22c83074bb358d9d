"""The metrics server: `/metrics` and `/healthz` of a process, on a port of their own.

It runs in the process's event loop, because a scrape reads the store; prometheus_client's own server runs in a thread.
It uses aiohttp's server, because a worker does not load uvicorn.

Written for aiohttp 3.14. It uses the private name `BaseRequest._prepare_hook`, which no other module here uses;
its tests with malformed requests fail without it.
"""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from commands.server.listening import listen
from services.observability.exposition import Exposition
from services.observability.free_space import FreeSpace
from services.observability.liveness import ALIVE, Liveness
from services.observability.metrics import CONTENT_TYPE
from services.runtime.services import Services
from services.settings import MetricsSettings

if TYPE_CHECKING:
    from aiohttp import web
    from aiohttp.typedefs import Handler

METRICS_PATH = "/metrics"
HEALTH_PATH = "/healthz"
TIMEOUT_S = 10.0  # for a request to arrive, and for its response to be built
MAX_HEADER_BYTES = 8190  # for each of at most `MAX_HEADERS`
MAX_HEADERS = 128
MAX_CONCURRENT_SCRAPES = 20  # others wait

log = logging.getLogger(__name__)


@contextmanager
def listen_for_metrics(settings: MetricsSettings) -> Iterator[socket.socket | None]:
    """Listen on the metrics port; yield None if it is unset. Raises `StartupError`."""
    if settings.metrics_port is None:
        yield None
        return
    remedy = "Stop the process that uses the port, or set RENDERCAST_METRICS_PORT to another."
    host, port, setting = settings.metrics_host, settings.metrics_port, "RENDERCAST_METRICS_HOST"
    with listen(host, port, purpose="serve metrics", setting=setting, remedy=remedy) as listener:
        yield listener


@asynccontextmanager
async def serve_metrics(
    listener: socket.socket | None, services: Services, *, timeout_s: float = TIMEOUT_S
) -> AsyncIterator[None]:
    """Serve metrics and health on the listener while the context is open; do nothing if the listener is None.

    On exit, requests that are still being served are cancelled.
    """
    if listener is None:
        yield
        return
    from aiohttp import web

    runner = web.AppRunner(
        _application(services, timeout_s),
        access_log=None,
        keepalive_timeout=timeout_s,  # also limits the time from a connection to the end of its request's head
        lingering_time=0,  # bodies are not read
        logger=_silent_logger(),
        max_field_size=MAX_HEADER_BYTES,
        max_headers=MAX_HEADERS,
        max_line_size=MAX_HEADER_BYTES,
        shutdown_timeout=0.001,  # seconds; 0 would mean no limit
    )
    await runner.setup()
    _hide_version(runner)
    try:
        await web.SockSite(runner, listener).start()
        address, port = listener.getsockname()[:2]
        log.info("metrics are at http://%s:%s%s", f"[{address}]" if ":" in address else address, port, METRICS_PATH)
        yield
    finally:
        await runner.cleanup()


def _application(services: Services, timeout_s: float) -> "web.Application":
    from aiohttp import web

    exposition = Exposition(
        services.metrics,
        store=services.store,
        clock=services.clock,
        outbox=services.outbox,
        pubsub=services.pubsub,
        free_space=FreeSpace(services.settings.storage.data_dir),
    )
    liveness = Liveness(services.loops, services.clock)
    scrapes = asyncio.Semaphore(MAX_CONCURRENT_SCRAPES)

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=await exposition.text(), headers={"Content-Type": CONTENT_TYPE})

    async def health(_: web.Request) -> web.Response:
        stalled = liveness.stalled()
        status = HTTPStatus.SERVICE_UNAVAILABLE if stalled else HTTPStatus.OK
        return web.json_response({"status": stalled or ALIVE}, status=status)

    @web.middleware
    async def limit(request: web.Request, handler: "Handler") -> web.StreamResponse:
        async with asyncio.timeout(timeout_s), scrapes:
            try:
                response = await handler(request)
            except web.HTTPNotFound:
                response = web.Response(status=HTTPStatus.NOT_FOUND, text=f"Metrics are at {METRICS_PATH}.\n")
            except web.HTTPException as error:
                error.force_close()
                raise
            except Exception:
                log.exception("a request for %s failed", request.path)
                response = web.Response(status=HTTPStatus.INTERNAL_SERVER_ERROR)
        response.force_close()  # one request per connection
        return response

    app = web.Application(middlewares=[limit])
    app.router.add_get(METRICS_PATH, metrics)
    app.router.add_get(HEALTH_PATH, health)
    return app


def _hide_version(runner: "web.AppRunner") -> None:
    """Remove the header `Server` of every response. For those to malformed requests, aiohttp sends no signal."""
    server = runner.server
    if server is None:
        raise AssertionError  # `setup` has been called
    make_request = server.request_factory

    async def remove_header(response: "web.StreamResponse") -> None:
        del response.headers["Server"]

    def make(*parts: Any) -> "web.BaseRequest":
        request = make_request(*parts)
        request._prepare_hook = remove_header  # type: ignore[method-assign]  # noqa: SLF001
        return request

    server.request_factory = make


def _silent_logger() -> logging.Logger:
    """Return a logger for aiohttp's server, which otherwise logs a traceback for each invalid request."""
    silent = logging.getLogger(f"{__name__}.http")
    silent.setLevel(logging.CRITICAL)
    return silent
