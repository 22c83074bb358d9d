"""`/metrics` and `/healthz` on a port of their own, in whichever process is to be watched: as much HTTP as they need.

Not by uvicorn, which a worker doesn't load, nor by prometheus_client's server, whose thread could not ask the store.
"""

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress

from services.errors import StartupError
from services.observability.liveness import ALIVE, Liveness
from services.observability.metrics import CONTENT_TYPE
from services.observability.scrape import Scrapes
from services.runtime.services import Services
from services.settings import MetricsSettings

PATH = "/metrics"
HEALTH_PATH = "/healthz"
TIME_S = 10.0  # for one scrape, from the connection to its end
MAX_HEAD_BYTES = 16 * 1024
MAX_SCRAPES = 20  # at once; more are left waiting

log = logging.getLogger(__name__)


@contextmanager
def listen_for_scrapes(settings: MetricsSettings) -> Iterator[socket.socket | None]:
    """Listen where metrics are to be served, if they are. Raises `StartupError`."""
    if settings.metrics_port is None:
        yield None
        return
    host, port = settings.metrics_host, settings.metrics_port
    try:
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise StartupError(
            f"Can't serve metrics on {host}:{port}: {error.strerror}. "
            "Stop what uses the port, or set RENDERCAST_METRICS_PORT to another."
        ) from error
    with listener:
        yield listener


@asynccontextmanager
async def answering_scrapes(listener: socket.socket | None, services: Services) -> AsyncIterator[None]:
    """Answer scrapes, and whether the process is alive, while this is open; do nothing without a listener."""
    if listener is None:
        yield
        return
    scrapes = Scrapes(services.metrics, store=services.store, clock=services.clock, outbox=services.outbox)
    liveness = Liveness(services.loops, services.clock)
    at_once = asyncio.Semaphore(MAX_SCRAPES)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer), suppress(TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(TIME_S), at_once:
                writer.write(await _answer(await reader.readuntil(b"\r\n\r\n"), scrapes, liveness))
                await writer.drain()

    under_way: set[asyncio.Task[None]] = set()  # asyncio's own has a traceback for each when they are cancelled

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(serve(reader, writer), name="answer a scrape")
        under_way.add(task)
        task.add_done_callback(under_way.discard)

    server = await asyncio.start_server(begin, sock=listener, limit=MAX_HEAD_BYTES)
    address, port = listener.getsockname()[:2]
    log.info("metrics are at http://%s:%s%s", f"[{address}]" if ":" in address else address, port, PATH)
    try:
        yield
    finally:
        server.close()
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


async def _answer(head: bytes, scrapes: Scrapes, liveness: Liveness) -> bytes:
    method, _, target = head.partition(b"\r\n")[0].decode("latin-1").partition(" ")
    path = target.partition(" ")[0].partition("?")[0]
    if path not in {PATH, HEALTH_PATH}:
        return _response("404 Not Found", "text/plain", f"Metrics are at {PATH}.\n".encode())
    if method not in {"GET", "HEAD"}:
        return _response("405 Method Not Allowed", "text/plain", b"GET it.\n", "Allow: GET, HEAD")
    response = _health(liveness) if path == HEALTH_PATH else _response("200 OK", CONTENT_TYPE, await scrapes.text())
    return response if method == "GET" else response.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"


def _health(liveness: Liveness) -> bytes:
    fault = liveness.stalled()
    body = json.dumps({"status": fault or ALIVE}).encode()
    return _response("503 Service Unavailable" if fault else "200 OK", "application/json", body)


def _response(status: str, content_type: str, body: bytes, *headers: str) -> bytes:
    lines = (
        f"HTTP/1.1 {status}",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *headers,
        "\r\n",
    )
    return "\r\n".join(lines).encode() + body
