"""Subscriptions leak no memory, for any number of events and any kind of end.

Measured in blocks of Python's allocator: a leaked event or connection is at least one block. LEAK_EVENTS=50000 and
LEAK_CONNECTIONS=1000 is the complete run.
"""

import asyncio
import gc
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing
from datetime import timedelta
from pathlib import Path

import pytest
from strawberry.types import ExecutionResult

from resolvers.context import Context
from resolvers.schema import build_schema
from services.models import AnimationProps, Caller, Identity
from services.renders.requests import StartRequest
from services.runtime.adapters import open_embedded
from services.runtime.services import Services
from services.settings import load_settings
from tests.support.api_client import PROGRESS, RETRY_S, TEST_TIMEOUT_S, UPDATES, Client, open_client
from tests.support.api_server import rewired, serve
from tests.support.api_stream import open_stream
from tests.support.fake_backend import FakeBackend
from tests.support.memory_store import copy_of

# Coverage doubles the duration, and other tests cover the same lines.
pytestmark = [pytest.mark.slow, pytest.mark.no_cover]

EVENTS = int(os.environ.get("LEAK_EVENTS", "10000"))
WARM_UP = 500
WARM_UP_CONNECTIONS = 100
CONNECTIONS = int(os.environ.get("LEAK_CONNECTIONS", "300"))
MAX_ROUNDS = 3  # the process may also do something else in one; a leak grows in all
REVISION = "subscription ($id: ID!) { renderProgress(renderId: $id) { id revision progress } }"


@pytest.fixture
async def services(tmp_path: Path) -> AsyncIterator[Services]:
    backend = FakeBackend(capacity=0, poll_interval=timedelta(seconds=1))
    async with open_embedded(load_settings(data_dir=tmp_path)) as services:
        yield rewired(services, backend=backend)


def blocks() -> int:
    gc.collect()
    return sys.getallocatedblocks()


async def test_events_leak_nothing(services: Services, props: AnimationProps) -> None:
    ann = Caller(id="ann")
    render = (await services.renders.start(ann, StartRequest(animation=props))).render
    context = Context(services=services, identity=Identity(caller=ann))
    stream = await build_schema().stream(REVISION, variable_values={"id": render.id}, context_value=context)
    before = 0
    async with aclosing(stream):
        await anext(stream)
        for revision in range(2, WARM_UP + EVENTS + 2):
            await services.hub.publish(copy_of(render, revision=revision))
            result = await anext(stream)
            assert isinstance(result, ExecutionResult)
            assert result.data == {"renderProgress": {"id": render.id, "revision": revision, "progress": 0}}
            if revision == WARM_UP:
                before = blocks()
        assert blocks() - before < EVENTS / 20


async def test_connections_leak_nothing(services: Services, props: AnimationProps) -> None:
    async with serve(services) as url, AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(open_client(url, user=f"user-{n}")) for n in range(3)]
        request = StartRequest(animation=props)
        ids = [(await services.renders.start(Caller(id=str(c.user)), request)).render.id for c in clients]
        await open_connections(clients, ids, WARM_UP_CONNECTIONS)
        tasks = await idle_task_count(services)
        for _ in range(MAX_ROUNDS):
            before = blocks()
            await open_connections(clients, ids, CONNECTIONS)
            assert await idle_task_count(services) == tasks
            if blocks() - before < CONNECTIONS:
                break
        else:
            raise AssertionError("connections leave memory behind")
        assert services.pubsub._broadcast.listeners._listeners.keys() == {"work"}


async def open_connections(clients: list[Client], ids: list[str], number: int) -> None:
    """Subscribe and disconnect: after a `complete`, by closing the WebSocket, and by aborting the TCP connection."""
    for n in range(number):
        client, render_id = clients[n % 3], ids[n % 3]
        async with open_stream(client) as stream:
            await stream.subscribe(PROGRESS, id=render_id)
            assert (await stream.next())["id"] == render_id
            if n % 2:
                await stream.subscribe(UPDATES, "2")
                await stream.next("2")
            if n % 4 == 0:
                await stream.send(id="1", type="complete")
            elif n % 4 == 1:
                stream.connection.transport.abort()


async def idle_task_count(services: Services) -> int:
    """Return the number of tasks once there are no subscriptions. That which prepares a process for renders ends."""
    async with asyncio.timeout(TEST_TIMEOUT_S):
        while services.hub._channels:  # noqa: ASYNC110  # there is no event to wait for
            await asyncio.sleep(RETRY_S)
        tasks = 0
        while tasks != (tasks := sum("spare" not in task.get_name() for task in asyncio.all_tasks())):  # noqa: ASYNC110
            await asyncio.sleep(10 * RETRY_S)
    return tasks
