"""The server's CPU time per HTTP request, with and without all protection, in alternating turns.

`python -m benchmarks.requests [turns]`; Yoga needs `npm ci --prefix benchmarks/peers`. Each server is a separate
process and gets requests over one persistent connection: `rendercast serve` with tokens and limits; the same schema
without them, on a plain uvicorn; Strawberry's ASGI view with its caches; and GraphQL Yoga, without users or limits. All
keep their data in memory.
"""

import http.client
import json
import math
import os
import socket
import statistics
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from datetime import timedelta
from operator import truediv
from pathlib import Path
from typing import Any

import uvicorn
import uvloop
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp
from strawberry.asgi import GraphQL

from app import create_app
from auth.bearer import open_bearer_tokens
from auth.rules import OWN_ISSUER
from auth.tokens import make_token
from benchmarks.delivery import NODE, PEERS
from benchmarks.limits import Unlimited, stock
from commands.server.serve import KEEP_ALIVE_S, server_config, start_garbage_collection
from resolvers.context import Context
from services.clock import SystemClock
from services.ids import new_render_id
from services.models import Caller, Identity, QuotaWindow, Render
from services.realtime.pubsub import open_pubsub
from services.runtime.services import Services, compose
from services.settings import default_settings
from tests.conftest import PROPS
from tests.support.memory_store import MemoryStore

SECRET = SecretStr("a secret for benchmarks, long enough")
SETTINGS = default_settings(
    introspection=False,
    jwt_secret=SECRET,
    max_mutations_per_minute=10_000_000,
    quota_limit=10_000_000,
    web_dir=Path("nowhere"),
)
USER = Caller(id=f"{OWN_ISSUER} ann")
RENDERS = 20
WARM_UP = 500
REQUESTS_PER_TURN = 60  # few, so that other load on the machine affects all servers equally
PLAIN: dict[str, Any] = {"log_config": None, "access_log": False, "timeout_keep_alive": KEEP_ALIVE_S}
TURNS = 200
YOGA = "GraphQL Yoga"
OPERATIONS = {
    "small query": "{ renderQuota { remaining resetsAt } }",
    "list of 20": "{ renders(first: 20) { edges { node { id status progress createdAt } } } }",
    "small mutation": 'mutation { cancelRender(renderId: "01hzzzzzzzzzzzzzzzzzzzzzzz") { __typename } }',
    "startRender": """
        mutation {
          startRender(input: {animationProps: {
            text: "Hello", style: FADE_IN, fontFamily: "Inter", fontSize: 64, color: "#ffffff", durationInFrames: 90
          }}) { __typename ... on StartRenderSuccess { render { id status createdAt } quota { remaining } } }
        }
    """,
}


@asynccontextmanager
async def open_services() -> AsyncIterator[Services]:
    """Yield services with an in-memory store that contains `RENDERS` renders of one user."""
    clock = SystemClock()
    store = MemoryStore(clock)
    for number in range(RENDERS):
        now = clock.now() + timedelta(milliseconds=number)
        window = QuotaWindow(owner=USER.id, limit=RENDERS, starts_at=now, length=timedelta(hours=1))
        await store.add(Render(id=new_render_id(now), owner=USER.id, props=PROPS, created_at=now), window)
    async with open_pubsub("memory://") as pubsub:
        yield compose(SETTINGS, clock=clock, store=store, pubsub=pubsub, backend=None, with_worker=False)


def unprotected(services: Services) -> Starlette:
    """Return an application that executes every request as one user, without any checks."""
    schema = Unlimited(SETTINGS.graphql)
    identity = Identity(caller=USER)

    async def respond(request: Request) -> Response:
        parameters = json.loads(await request.body())
        context = Context(services=services, identity=identity)
        result = await schema.execute(
            parameters["query"], variable_values=parameters.get("variables"), context_value=context
        )
        return JSONResponse({"data": result.data})

    return Starlette(routes=[Route("/graphql", respond, methods=["POST"])])


class Stock(GraphQL[Context, None]):
    """Strawberry's own view of the schema."""

    services: Services

    async def get_context(self, request: Request, response: Response) -> Context:  # type: ignore[override]
        del request, response
        return Context(services=self.services, identity=Identity(caller=USER))


async def serve(kind: str, listener: socket.socket) -> None:
    async with open_services() as services, open_bearer_tokens(SETTINGS.auth) as authenticate:
        app: ASGIApp
        match kind:
            case "protected":
                config = server_config(create_app(services, authenticate=authenticate), SETTINGS)
            case "unprotected":
                config = uvicorn.Config(unprotected(services), **PLAIN)
            case _:
                app = Stock(stock())
                app.services = services
                config = uvicorn.Config(app, **PLAIN)
        start_garbage_collection()
        await uvicorn.Server(config).serve(sockets=[listener])


class Server:
    """A server in a separate process, and one connection to it."""

    def __init__(self, kind: str, process_id: int, port: int) -> None:
        token = make_token(SECRET, subject="ann", audience=SETTINGS.auth.jwt_audience, lifetime=timedelta(hours=1))
        self._headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        self._tasks = Path(f"/proc/{process_id}/task")
        self._connection = http.client.HTTPConnection("127.0.0.1", port)
        self.kind = kind

    def cpu_s_per_request(
        self, document: str, times: int, *, variables: dict[str, Any] | None = None, expected: bytes = b""
    ) -> float:
        """Send `times` requests and return the server's CPU seconds, user and system, per request.

        Each response must contain `expected`.
        """
        body = json.dumps({"query": document, "variables": variables})
        before = self._cpu_s()
        for _ in range(times):
            self._connection.request("POST", "/graphql", body, self._headers)
            response = self._connection.getresponse()
            content = response.read()
            assert expected in content, (self.kind, content)
            assert b'"errors"' not in content, (self.kind, content)
        return (self._cpu_s() - before) / times

    def _cpu_s(self) -> float:
        return sum(int((task / "schedstat").read_text().split()[0]) for task in self._tasks.iterdir()) / 1e9


@contextmanager
def yoga() -> Iterator[Server]:
    process = subprocess.Popen([NODE or "node", "yoga-http.mjs"], cwd=PEERS, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        yield Server(YOGA, process.pid, int(process.stdout.readline()))
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def running(kind: str, module: str = "benchmarks.requests") -> Iterator[Server]:
    """Run `python -m MODULE KIND FILE_DESCRIPTOR`, which serves on the socket of this descriptor."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        command = [sys.executable, "-m", module, kind, str(listener.fileno())]
        process = subprocess.Popen(command, pass_fds=[listener.fileno()], stderr=subprocess.DEVNULL, env=os.environ)
        try:
            yield Server(kind, process.pid, listener.getsockname()[1])
        finally:
            process.terminate()
            process.wait(10)


def main(turns: int = TURNS) -> None:
    with ExitStack() as stack:
        servers = [stack.enter_context(running(kind)) for kind in ("protected", "unprotected", "Strawberry's view")]
        if NODE and (PEERS / "node_modules").exists():
            servers.append(stack.enter_context(yoga()))
        print("\n## Requests: the server's CPU time per request\n")
        kinds = " | ".join(server.kind for server in servers)
        print(f"| | {kinds} | protection adds | relative to Yoga |\n|---|{'---:|' * (len(servers) + 2)}")
        for name, document in OPERATIONS.items():
            for server in servers:
                server.cpu_s_per_request(document, WARM_UP)
            samples: dict[str, list[float]] = {server.kind: [] for server in servers}
            for turn in range(turns):
                for server in servers if turn % 2 else reversed(servers):
                    samples[server.kind].append(server.cpu_s_per_request(document, REQUESTS_PER_TURN))
            cells = " | ".join(f"{statistics.median(seconds) * 1e6:.0f} µs" for seconds in samples.values())
            adds, relative = (_ratio(samples, to) for to in ("unprotected", YOGA))
            print(f"| {name} | {cells} | {adds * 100 - 100:.1f} % | {relative:.2f} |", flush=True)


def _ratio(samples: dict[str, list[float]], kind: str) -> float:
    return statistics.median(map(truediv, samples["protected"], samples[kind])) if kind in samples else math.nan


if __name__ == "__main__":
    if len(sys.argv) > 2:
        uvloop.run(serve(sys.argv[1], socket.socket(fileno=int(sys.argv[2]))))
    else:
        main(*map(int, sys.argv[1:]))
