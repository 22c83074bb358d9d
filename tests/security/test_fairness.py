"""Limits per user on concurrent operations, and on the size of results."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.types import Message

from resolvers.context import MAX_READS_AT_ONCE
from services.models import Render
from services.runtime.adapters import open_embedded
from services.settings import load_settings
from tests.support.api_client import LIST, PROGRESS, PROPS, QUOTA_LEFT, START, TEST_TIMEOUT_S, Client, open_client
from tests.support.api_server import rewired, serve
from tests.support.api_stream import open_stream
from tests.support.fake_backend import FakeBackend
from tests.support.fake_clock import settle
from tests.support.memory_store import MemoryStore
from tests.support.websocket_endpoint import websocket_endpoint

MAX_CONCURRENT = 3
MAX_RESULT = 2048
SCOPE = {"type": "websocket", "path": "/graphql", "headers": [], "subprotocols": ["graphql-transport-ws"]}


class BusyStore(MemoryStore):
    """A store whose `list` waits for an event, and that counts waiting and other calls."""

    def __init__(self) -> None:
        super().__init__()
        self.may_list = asyncio.Event()
        self.waiting = self.max_waiting = self.queue_position_calls = 0

    async def list(self, **query: Any) -> Sequence[Render]:
        self.waiting += 1
        self.max_waiting = max(self.max_waiting, self.waiting)
        try:
            await self.may_list.wait()
        finally:
            self.waiting -= 1
        return await super().list(**query)

    async def queue_position(self, render: Render) -> int:
        self.queue_position_calls += 1
        return await super().queue_position(render)


@asynccontextmanager
async def open_user(folder: Path, store: MemoryStore, **settings: object) -> AsyncIterator[Client]:
    async with (
        open_embedded(load_settings(data_dir=folder, max_concurrent_operations=MAX_CONCURRENT, **settings)) as services,
        serve(rewired(services, store=store, backend=FakeBackend(capacity=0))) as url,
        open_client(url, user="ann") as ann,
    ):
        yield ann


async def test_the_lists_of_one_operation_are_read_a_few_at_once(tmp_path: Path) -> None:
    store = BusyStore()
    lists = " ".join(f"a{number}: renders(first: 1) {{ totalCount }}" for number in range(20))
    async with open_user(tmp_path, store) as ann, asyncio.TaskGroup() as tasks:
        request = tasks.create_task(ann.http.post("/graphql", json={"query": f"{{ {lists} }}"}, headers=ann.headers))
        async with asyncio.timeout(TEST_TIMEOUT_S):
            while store.waiting < MAX_READS_AT_ONCE:
                await settle()
        await settle()
        store.may_list.set()
        assert (await request).json()["data"]["a19"] == {"totalCount": 0}
    assert store.max_waiting == MAX_READS_AT_ONCE


async def test_concurrent_operations_of_a_user_are_limited_over_all_connections(tmp_path: Path) -> None:
    store = BusyStore()
    async with open_user(tmp_path, store) as ann, open_stream(ann) as one, open_stream(ann) as other:
        async with asyncio.TaskGroup() as tasks:
            requests = [tasks.create_task(ann.execute(LIST)) for _ in range(2 * MAX_CONCURRENT)]
            for stream in (one, other):
                for number in range(2 * MAX_CONCURRENT):
                    await stream.subscribe(LIST, str(number))
            async with asyncio.timeout(TEST_TIMEOUT_S):
                while store.waiting < MAX_CONCURRENT:
                    await settle()
            assert (await Client(ann.http, user="bob").execute(QUOTA_LEFT))["remaining"] == 5
            assert store.waiting == MAX_CONCURRENT
            store.may_list.set()
        assert all(task.result()["edges"] == [] for task in requests)
        for stream in (one, other):
            ends = [await stream.receive() for _ in range(4 * MAX_CONCURRENT)]
            assert (
                sorted(end["type"] for end in ends) == ["complete"] * 2 * MAX_CONCURRENT + ["next"] * 2 * MAX_CONCURRENT
            )
    assert store.max_waiting == MAX_CONCURRENT


async def test_waiting_operations_time_out_like_executing_ones(tmp_path: Path) -> None:
    async with open_user(tmp_path, BusyStore(), execution_timeout_s=0.3) as ann:
        errors = await asyncio.gather(*(ann.error(LIST) for _ in range(2 * MAX_CONCURRENT)))
    assert [error["extensions"]["code"] for error in errors] == ["TIMEOUT"] * 2 * MAX_CONCURRENT


async def test_for_a_client_that_stops_reading_no_more_operations_are_executed(tmp_path: Path) -> None:
    """The transport blocks on each result, as uvicorn's does when the client stops reading."""
    store = BusyStore()
    store.may_list.set()
    payload = {"query": LIST}
    messages = [
        {"type": "connection_init"},
        *({"type": "subscribe", "id": str(n), "payload": payload} for n in range(20)),
    ]
    connecting = iter([{"type": "websocket.connect"}])
    stalled = asyncio.Event()
    lists = 0

    async def receive() -> Message:
        for message in connecting:
            return message
        if not messages:
            await stalled.wait()
        return {"type": "websocket.receive", "text": json.dumps(messages.pop(0))}

    async def send(message: Message) -> None:
        nonlocal lists
        if "next" in message.get("text", ""):
            lists += 1
            await stalled.wait()

    async with open_embedded(load_settings(data_dir=tmp_path, max_concurrent_operations=MAX_CONCURRENT)) as services:
        faked = rewired(services, store=store)
        serving = asyncio.create_task(websocket_endpoint(faked)(SCOPE, receive, send))
        while lists < MAX_CONCURRENT:
            await settle()
        await settle()
        assert (lists, messages) == (MAX_CONCURRENT, [])
        serving.cancel()
        await asyncio.wait([serving])


async def test_a_queue_position_is_computed_once_per_render_and_request(tmp_path: Path) -> None:
    store = BusyStore()
    store.may_list.set()
    async with open_user(tmp_path, store) as ann:
        for _ in range(2):
            await ann.start()
        store.queue_position_calls = 0
        fields = " ".join(f"p{n}: queuePosition" for n in range(20))
        page = await ann.execute(f"{{ renders(first: 5) {{ edges {{ node {{ {fields} }} }} }} }}")
    assert [set(edge["node"].values()) for edge in page["edges"]] == [{2}, {1}]
    assert store.queue_position_calls == 2


async def test_a_result_that_is_too_large_is_replaced_by_an_error(tmp_path: Path) -> None:
    texts = " ".join(f"t{n}: text" for n in range(10))
    large = f"{{ renders {{ edges {{ node {{ animationProps {{ {texts} }} }} }} }} }}"
    store = BusyStore()
    store.may_list.set()
    async with open_user(tmp_path, store, max_result_bytes=MAX_RESULT) as ann, open_stream(ann) as stream:
        started = await ann.execute(START, input={"animationProps": {**PROPS, "text": "x" * 400}})
        response = await ann.post(large)
        assert (response["data"], response["errors"][0]["extensions"]) == (None, {"code": "LIMIT_EXCEEDED"})
        assert f"exceeds {MAX_RESULT} bytes" in response["errors"][0]["message"]
        subscription = large.replace(
            "{ renders { edges { node {", "subscription ($id: ID!) { renderProgress(renderId: $id) {"
        )
        for number, document in enumerate((large, subscription.replace("} } } } }", "} } }"))):
            await stream.subscribe(document, str(number), id=started["render"]["id"])
            message = await stream.receive()
            assert (message["type"], message["id"]) == ("next", str(number))
            assert message["payload"] == {"data": None, "errors": response["errors"]}
            if document is large:
                assert (await stream.receive())["type"] == "complete"
        await stream.subscribe(PROGRESS, "small enough", id=started["render"]["id"])
        assert (await stream.next("small enough"))["status"] == "QUEUED"
