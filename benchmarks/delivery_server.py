"""The servers of `benchmarks.delivery` in Python: `python -m benchmarks.delivery_server KIND REDIS_URL RENDERS`."""

import contextlib
import json
import os
import socket
import sys
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import uvicorn
import uvloop
from pydantic import SecretStr
from starlette.types import Receive, Scope, Send

from app import create_app
from auth.bearer import open_bearer_tokens
from auth.rules import OWN_ISSUER
from auth.tokens import make_token
from commands.server.serve import listen_for_clients, server_config, start_garbage_collection
from services import stored_documents
from services.clock import SystemClock
from services.ids import new_render_id
from services.models import QuotaWindow, Render
from services.ports import RenderStore
from services.realtime.pubsub import open_pubsub
from services.realtime.redis_url import parse_redis_url
from services.runtime.motor_client import motor_client
from services.runtime.services import compose
from services.settings import Settings, default_settings
from services.stores.mongo import open_mongo_store
from tests.conftest import PROPS
from tests.support.memory_store import MemoryStore

SECRET = SecretStr("a-sufficiently-long-secret-of-the-benchmark")
SETTINGS = default_settings(
    port=0,
    jwt_secret=SECRET,
    introspection=True,
    max_connections_per_user=10_000,
    max_connections_per_address=10_000,
    web_dir=Path("nowhere"),
)


def write_renders(path: Path, redis_url: str, number: int) -> Path:
    """Write `number` renders, each of another user, with the user's token and the Redis channel; return the path."""
    now = SystemClock().now()
    renders = []
    for place in range(number):
        render = Render(
            id=new_render_id(now + timedelta(milliseconds=place)),
            owner=f"{OWN_ISSUER} user-{place}",
            props=PROPS,
            created_at=now,
        )
        token = make_token(
            SECRET, subject=f"user-{place}", audience=SETTINGS.auth.jwt_audience, lifetime=timedelta(days=1)
        )
        channel = (parse_redis_url(redis_url).prefix + f"renders:{render.owner}".encode()).decode()
        renders.append({**stored_documents.to_mapping(render), "token": token, "channel": channel})
    path.write_text(json.dumps(renders), encoding="utf-8")
    return path


async def serve(kind: str, redis_url: str, renders_file: str) -> None:
    """Run a server of this kind."""
    with listen_for_clients(SETTINGS.server) as listener:
        if kind == "bare":
            async with open_bare(redis_url) as app:
                await _serve_clients(uvicorn.Config(app, log_config=None, access_log=False), listener)
        else:
            await serve_rendercast(redis_url, renders_file, listener, projections=kind == "rendercast")


async def serve_rendercast(redis_url: str, renders_file: str, listener: socket.socket, *, projections: bool) -> None:
    settings = SETTINGS.replace(projections=projections)
    clock = SystemClock()
    async with open_store(clock) as store:
        await serve_from(store, redis_url, renders_file, listener, settings=settings)


@contextlib.asynccontextmanager
async def open_store(clock: SystemClock) -> AsyncIterator[RenderStore]:
    """Yield a store in memory, or a new database of the MongoDB at `BENCHMARK_MONGODB_URL`."""
    if url := os.environ.get("BENCHMARK_MONGODB_URL"):
        async with open_mongo_store(motor_client(), f"{url}/{uuid.uuid4()}") as store:
            yield store
    else:
        yield MemoryStore(clock)


async def serve_from(
    store: RenderStore, redis_url: str, renders_file: str, listener: socket.socket, *, settings: Settings
) -> None:
    clock = SystemClock()
    for each in json.loads(Path(renders_file).read_text(encoding="utf-8")):  # noqa: ASYNC240  # before serving
        render = stored_documents.from_mapping(each)
        window = QuotaWindow(owner=render.owner, limit=10, starts_at=clock.now(), length=timedelta(hours=1))
        await store.add(render, window)
    async with open_pubsub(redis_url) as pubsub, open_bearer_tokens(settings.auth) as authenticate:
        services = compose(settings, clock=clock, store=store, pubsub=pubsub, backend=None, with_worker=False)
        app = create_app(services, authenticate=authenticate)
        await _serve_clients(server_config(app, settings), listener)


async def _serve_clients(config: uvicorn.Config, listener: socket.socket) -> None:
    """Print the port when all that the start takes has been done, so that it is not measured; then serve."""
    start_garbage_collection()
    print(listener.getsockname()[1], flush=True)
    await uvicorn.Server(config).serve(sockets=[listener])


@contextlib.asynccontextmanager
async def open_bare(redis_url: str) -> AsyncIterator[Any]:
    """Yield an application that sends to each client the unchanged Redis messages about the client's render."""
    async with open_pubsub(redis_url) as pubsub:

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "websocket":
                return
            await receive()
            await send({"type": "websocket.accept", "subprotocol": "graphql-transport-ws"})
            await receive()
            await send({"type": "websocket.send", "text": '{"type":"connection_ack"}'})
            render_id = json.loads((await receive())["text"])["payload"]["variables"]["id"]
            first = {"payload": {"data": {"renderProgress": {"revision": 1}}}}
            await send({"type": "websocket.send", "text": json.dumps(first, separators=(",", ":"))})

            def send_all(messages: list[str]) -> None:
                for message in messages:
                    with contextlib.suppress(StopIteration):  # `send` doesn't wait as long as the client reads
                        send({"type": "websocket.send", "text": message}).send(None)  # type: ignore[attr-defined]  # a coroutine

            async with pubsub.subscribe(f"bare:{render_id}", send_all):
                while (await receive())["type"] != "websocket.disconnect":
                    pass

        yield app


if __name__ == "__main__":
    uvloop.run(serve(*sys.argv[1:4]))
