"""The servers of `benchmarks.requests` and `benchmarks.starts`, each a process, and the client that measures them.

All are on a real Redis, verify the token of each request, and store what a start starts: `rendercast serve` as it is
run in production, on MongoDB; the same application with its data in memory; and GraphQL Yoga in Node with both.
"""

import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvicorn

from app import create_app
from auth.bearer import open_bearer_tokens
from auth.tokens import make_token
from benchmarks.delivery import NODE, PEERS, process_cpu_s
from benchmarks.delivery_server import SECRET
from commands.server.serve import server_config, start_garbage_collection
from services.clock import SystemClock
from services.models import QuotaWindow, Render
from services.ports import AddOutcome, AddResult, Clock
from services.realtime.pubsub import open_pubsub
from services.renders.fair_queue import QueuePlace
from services.runtime.services import Services, compose
from services.settings import default_settings
from tests.end_to_end.processes import COMMAND, Running
from tests.support.fake_backend import FakeBackend
from tests.support.memory_store import MemoryStore, StoredRender

CONNECTIONS = 20  # so that a server has the next request when it has sent a response, as a busy one does
LIMITS = {"max_mutations_per_minute": 10_000, "quota_limit": 1_000_000}
SETTINGS = default_settings(introspection=False, jwt_secret=SECRET, web_dir=Path("nowhere"), **LIMITS)


@dataclass(frozen=True, kw_only=True)
class Operation:
    """A document with its variables. `check` raises `AssertionError` unless the data is what it should be.

    `user` is the token's subject, with `renders` of their own.
    """

    document: str
    check: Callable[[Any], None]
    variables: dict[str, Any] | None = None
    user: str = "ann"


class HttpServer:
    """A server in a separate process, and `CONNECTIONS` connections to it."""

    def __init__(self, kind: str, process_id: int, port: int) -> None:
        self.kind = kind
        self._process_id = process_id
        self._connections = [http.client.HTTPConnection("127.0.0.1", port) for _ in range(CONNECTIONS)]

    def request(self, operation: Operation) -> Any:
        """Send the operation and return the data of the response, which must be correct."""
        (data,) = self._send([_request(operation)])
        return data

    def cpu_s_per_request(self, operations: Sequence[Operation], rounds: int) -> float:
        """Send the operations together, each over its own connection, and read all responses; do so `rounds` times.

        Returns the server's CPU seconds, user and system, per request.
        """
        requests = [_request(operation) for operation in operations]
        before = process_cpu_s(self._process_id)
        for _ in range(rounds):
            self._send(requests)
        return (process_cpu_s(self._process_id) - before) / (rounds * len(requests))

    def _send(self, requests: Sequence[tuple[Operation, str, dict[str, str]]]) -> Sequence[Any]:
        for connection, (_, body, headers) in zip(self._connections, requests, strict=False):
            connection.request("POST", "/graphql", body, headers)
        found = []
        for connection, (operation, *_) in zip(self._connections, requests, strict=False):
            response = json.loads(connection.getresponse().read())
            assert "errors" not in response, (self.kind, response)
            operation.check(response["data"])
            found.append(response["data"])
        return found


def _request(operation: Operation) -> tuple[Operation, str, dict[str, str]]:
    """Return the operation, and its request's body and headers, with the token of its user."""
    body = json.dumps({"query": operation.document, "variables": operation.variables})
    return operation, body, {"Content-Type": "application/json", "Authorization": f"Bearer {_token(operation.user)}"}


@cache
def _token(user: str) -> str:
    """Return a token of a user, who uses it for all requests, as a frontend does."""
    return make_token(SECRET, subject=user, audience=SETTINGS.auth.jwt_audience, lifetime=timedelta(hours=1))


class CountingStore(MemoryStore):
    """Counts units of quota and lists each owner's latest `MAX_RENDERS` renders without reading all, as the peer's.

    The renders have no place in a queue, and no idempotency keys.
    """

    MAX_RENDERS = 20
    PLACE = QueuePlace(order_key=0, finish_key=0)

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self._used: dict[QuotaWindow, int] = {}
        self._latest: dict[str, deque[str]] = {}

    async def quota_used(self, window: QuotaWindow) -> int:
        return self._used.get(window, 0)

    async def add(self, render: Render, window: QuotaWindow, *, weight: float = 1.0) -> AddResult:  # noqa: ARG002
        used = self._used.get(window, 0)
        if used >= window.limit:
            return AddResult(outcome=AddOutcome.OVER_QUOTA, render=render, used=used)
        self._used[window] = used + 1
        self._rows[render.id] = StoredRender(render, self.PLACE)
        latest = self._latest.setdefault(render.owner, deque())
        latest.append(render.id)
        if len(latest) > self.MAX_RENDERS:
            del self._rows[latest.popleft()]
        return AddResult(outcome=AddOutcome.ADDED, render=render, used=used + 1)

    async def list(self, *, owner: str | None, first: int, **_: object) -> Sequence[Render]:
        return [self._rows[id_].render for id_ in islice(reversed(self._latest[owner or ""]), first)]


@asynccontextmanager
async def open_services_in_memory(redis_url: str) -> AsyncIterator[Services]:
    """Yield services with a renderer that starts nothing by itself, and the store in memory."""
    clock = SystemClock()
    async with open_pubsub(redis_url) as pubsub:
        store = CountingStore(clock)
        yield compose(SETTINGS, clock=clock, store=store, pubsub=pubsub, backend=FakeBackend(), with_worker=False)


async def serve(services: Services, listener: socket.socket) -> None:
    """Serve as `rendercast serve` does."""
    async with open_bearer_tokens(SETTINGS.auth) as authenticate:
        config = server_config(create_app(services, authenticate=authenticate), SETTINGS)
        start_garbage_collection()
        await uvicorn.Server(config).serve(sockets=[listener])


@contextmanager
def running(kind: str, module: str, *arguments: str) -> Iterator[HttpServer]:
    """Run `python -m MODULE FILE_DESCRIPTOR ARGUMENTS`, which serves on the socket of this descriptor."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        command = [sys.executable, "-m", module, str(listener.fileno()), *arguments]
        process = subprocess.Popen(command, pass_fds=[listener.fileno()], stderr=subprocess.DEVNULL)
        try:
            yield HttpServer(kind, process.pid, listener.getsockname()[1])
        finally:
            process.terminate()
            process.wait(10)


@contextmanager
def rendercast_serve(kind: str, redis_url: str, mongodb_url: str) -> Iterator[HttpServer]:
    """Run `rendercast serve` with the text renderer, whose worker is not running."""
    settings = {"jwt_secret": SECRET.get_secret_value(), "renderer": "text", "port": 0, **LIMITS}
    with tempfile.TemporaryDirectory() as folder:
        urls = {"redis_url": redis_url, "mongodb_url": mongodb_url, "data_dir": folder}
        server = Running(Path(folder), [COMMAND, "serve"], settings | urls, fork=False)
        try:
            yield HttpServer(kind, server.process.pid, urlsplit(server.url).port or 0)
        finally:
            server.close()


@contextmanager
def yoga(kind: str, redis_url: str, *mongodb_url: str) -> Iterator[HttpServer]:
    """Run GraphQL Yoga in production mode."""
    environment = {**os.environ, "NODE_ENV": "production", "JWT_SECRET": SECRET.get_secret_value()}
    command = [NODE or "node", "yoga-http.mjs", redis_url, *mongodb_url]
    process = subprocess.Popen(command, cwd=PEERS, stdout=subprocess.PIPE, env=environment)
    assert process.stdout is not None
    try:
        yield HttpServer(kind, process.pid, int(process.stdout.readline()))
    finally:
        process.terminate()
        process.wait(10)
