"""What a subscription leaves behind: nothing, however many events it had and however it ended.

Counted in blocks of Python's own allocator, since a leaked event is at least one of them.
"""

import asyncio
import gc
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing
from datetime import timedelta
from pathlib import Path

import pytest
from strawberry.types import ExecutionResult

from resolvers.context import Context
from resolvers.schema import build_schema
from services.identity import Identity
from services.models import AnimationProps, Caller
from services.runtime.adapters import open_embedded
from services.runtime.services import Services
from services.settings import load_settings
from tests.support.api_client import PATIENCE_S, PROGRESS, RETRY_S, UPDATES, Client, open_client, open_stream
from tests.support.api_server import rewired, serve
from tests.support.fakes import FakeBackend, copy_of

pytestmark = pytest.mark.no_cover  # measuring coverage doubles the time, and other tests run the same lines

EVENTS = 50_000
WARM_UP = 500
VISITS = 1000
REVISION = "subscription ($id: ID!) { renderProgress(renderId: $id) { id revision progress } }"


@pytest.fixture
async def services(tmp_path: Path) -> AsyncIterator[Services]:
    backend = FakeBackend(capacity=0, poll_interval=timedelta(seconds=1))
    async with open_embedded(load_settings(data_dir=tmp_path)) as services:
        yield rewired(services, backend=backend)


def blocks() -> int:
    gc.collect()
    return sys.getallocatedblocks()


async def test_fifty_thousand_events_leave_nothing_behind(services: Services, props: AnimationProps) -> None:
    ann = Caller(id="ann")
    render = (await services.renders.start(ann, props)).render
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


async def test_a_thousand_visitors_leave_nothing_behind(services: Services, props: AnimationProps) -> None:
    async with serve(services) as url, AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(open_client(url, user=f"user-{n}")) for n in range(3)]
        ids = [(await services.renders.start(Caller(id=str(c.user)), props)).render.id for c in clients]
        await visits(clients, ids, VISITS // 10)
        tasks, before = await at_rest(services), blocks()
        await visits(clients, ids, VISITS)
        assert await at_rest(services) == tasks
        assert blocks() - before < VISITS
        assert services.pubsub._channels._listeners.keys() == {"work"}


async def visits(clients: list[Client], ids: list[str], number: int) -> None:
    """Come, watch, and leave: by the rules, by closing the connection, and by vanishing."""
    for visit in range(number):
        client, render_id = clients[visit % 3], ids[visit % 3]
        async with open_stream(client) as stream:
            await stream.subscribe(PROGRESS, id=render_id)
            assert (await stream.next())["id"] == render_id
            if visit % 2:
                await stream.subscribe(UPDATES, "2")
                await stream.next("2")
            if visit % 4 == 0:
                await stream.send(id="1", type="complete")
            elif visit % 4 == 1:
                stream.connection.transport.abort()


async def at_rest(services: Services) -> int:
    """Return how many tasks there are once nobody watches."""
    async with asyncio.timeout(PATIENCE_S):
        while services.hub._rooms or any("listen renders" in task.get_name() for task in asyncio.all_tasks()):  # noqa: ASYNC110  # nothing tells
            await asyncio.sleep(RETRY_S)
        tasks = 0
        while tasks != (tasks := len(asyncio.all_tasks())):  # noqa: ASYNC110  # the same
            await asyncio.sleep(10 * RETRY_S)
    return tasks
