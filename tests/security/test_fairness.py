"""What one user asks for takes no more than their share from the others, however much it is, and is never too large."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.types import Message
from starlette.websockets import WebSocket

from auth.bearer import LocalDeveloper
from resolvers.schema import build_schema
from services.models import Render, RenderFilter
from services.runtime.adapters import open_embedded
from services.settings import load_settings
from tests.support.api_client import (
    LIST,
    PATIENCE_S,
    PROGRESS,
    PROPS,
    QUOTA_LEFT,
    START,
    Client,
    open_client,
    open_stream,
)
from tests.support.api_server import rewired, serve
from tests.support.fake_backend import FakeBackend
from tests.support.fake_clock import settle
from tests.support.memory_store import MemoryStore
from transport.graphql_ws.endpoint import WebSocketEndpoint

AT_ONCE = 3
MAX_RESULT = 2048
SCOPE = {"type": "websocket", "path": "/graphql", "headers": [], "subprotocols": ["graphql-transport-ws"]}


class BusyStore(MemoryStore):
    """A store that lists nothing before it is told to, and counts who waits and what it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.may_list = asyncio.Event()
        self.waiting = self.most_waiting = self.positions = 0

    async def list(
        self, *, owner: str | None, first: int, matching: RenderFilter, older_than: str | None = None
    ) -> Sequence[Render]:
        self.waiting += 1
        self.most_waiting = max(self.most_waiting, self.waiting)
        try:
            await self.may_list.wait()
        finally:
            self.waiting -= 1
        return await super().list(owner=owner, first=first, matching=matching, older_than=older_than)

    async def queue_position(self, render: Render) -> int:
        self.positions += 1
        return await super().queue_position(render)


@asynccontextmanager
async def open_user(folder: Path, store: MemoryStore, **settings: object) -> AsyncIterator[Client]:
    async with (
        open_embedded(load_settings(data_dir=folder, max_concurrent_operations=AT_ONCE, **settings)) as services,
        serve(rewired(services, store=store, backend=FakeBackend(capacity=0))) as url,
        open_client(url, user="ann") as ann,
    ):
        yield ann


async def test_a_user_has_a_few_operations_executed_at_once_over_whatever_connections(tmp_path: Path) -> None:
    store = BusyStore()
    async with open_user(tmp_path, store) as ann, open_stream(ann) as one, open_stream(ann) as other:
        async with asyncio.TaskGroup() as tasks:
            asked = [tasks.create_task(ann.ask(LIST)) for _ in range(2 * AT_ONCE)]
            for stream in (one, other):
                for number in range(2 * AT_ONCE):
                    await stream.subscribe(LIST, str(number))
            async with asyncio.timeout(PATIENCE_S):
                while store.waiting < AT_ONCE:
                    await settle()
            assert (await Client(ann.http, user="bob").ask(QUOTA_LEFT))["remaining"] == 5
            assert store.waiting == AT_ONCE
            store.may_list.set()
        assert all(task.result()["edges"] == [] for task in asked)
        for stream in (one, other):
            ends = [await stream.receive() for _ in range(4 * AT_ONCE)]
            assert sorted(end["type"] for end in ends) == ["complete"] * 2 * AT_ONCE + ["next"] * 2 * AT_ONCE
    assert store.most_waiting == AT_ONCE


async def test_what_waits_for_its_turn_waits_no_longer_than_an_execution_may(tmp_path: Path) -> None:
    async with open_user(tmp_path, BusyStore(), execution_timeout_s=0.3) as ann:
        answers = await asyncio.gather(*(ann.error(LIST) for _ in range(2 * AT_ONCE)))
    assert [answer["extensions"]["code"] for answer in answers] == ["TIMEOUT"] * 2 * AT_ONCE


async def test_a_reader_that_stops_has_no_more_executed_for_it_than_waits_to_be_sent(tmp_path: Path) -> None:
    """The transport takes no result, as uvicorn's does once the client reads no more."""
    store = BusyStore()
    store.may_list.set()
    asked = {"query": LIST}
    said = [{"type": "connection_init"}, *({"type": "subscribe", "id": str(n), "payload": asked} for n in range(20))]
    connecting = iter([{"type": "websocket.connect"}])
    stalled = asyncio.Event()
    lists = 0

    async def receive() -> Message:
        for message in connecting:
            return message
        if not said:
            await stalled.wait()
        return {"type": "websocket.receive", "text": json.dumps(said.pop(0))}

    async def send(message: Message) -> None:
        nonlocal lists
        if "next" in message.get("text", ""):
            lists += 1
            await stalled.wait()

    async with open_embedded(load_settings(data_dir=tmp_path, max_concurrent_operations=AT_ONCE)) as services:
        faked = rewired(services, store=store)
        websockets = WebSocketEndpoint(faked, schema=build_schema(faked.settings.graphql), authenticate=LocalDeveloper(faked.settings.server))
        serving = asyncio.create_task(websockets.serve(WebSocket(SCOPE, receive, send)))
        while lists < AT_ONCE:
            await settle()
        await settle()
        assert (lists, said) == (AT_ONCE, [])
        serving.cancel()
        await asyncio.wait([serving])


async def test_a_place_in_the_queue_is_counted_once_for_each_render_however_often_it_is_asked_for(
    tmp_path: Path,
) -> None:
    store = BusyStore()
    store.may_list.set()
    async with open_user(tmp_path, store) as ann:
        for _ in range(2):
            await ann.start()
        store.positions = 0
        places = " ".join(f"p{n}: queuePosition" for n in range(20))
        page = await ann.ask(f"{{ renders(first: 5) {{ edges {{ node {{ {places} }} }} }} }}")
    assert [set(edge["node"].values()) for edge in page["edges"]] == [{2}, {1}]
    assert store.positions == 2


async def test_a_result_that_is_too_large_is_an_error_that_says_so(tmp_path: Path) -> None:
    texts = " ".join(f"t{n}: text" for n in range(10))
    large = f"{{ renders {{ edges {{ node {{ animationProps {{ {texts} }} }} }} }} }}"
    store = BusyStore()
    store.may_list.set()
    async with open_user(tmp_path, store, max_result_bytes=MAX_RESULT) as ann, open_stream(ann) as stream:
        started = await ann.ask(START, input={"animationProps": {**PROPS, "text": "x" * 400}})
        answer = await ann.post(large)
        assert (answer["data"], answer["errors"][0]["extensions"]) == (None, {"code": "LIMIT_EXCEEDED"})
        assert f"more than {MAX_RESULT} bytes" in answer["errors"][0]["message"]
        subscription = large.replace(
            "{ renders { edges { node {", "subscription ($id: ID!) { renderProgress(renderId: $id) {"
        )
        for number, document in enumerate((large, subscription.replace("} } } } }", "} } }"))):
            await stream.subscribe(document, str(number), id=started["render"]["id"])
            message = await stream.receive()
            assert (message["type"], message["id"]) == ("next", str(number))
            assert message["payload"] == {"data": None, "errors": answer["errors"]}
            if document is large:
                assert (await stream.receive())["type"] == "complete"
        await stream.subscribe(PROGRESS, "small enough", id=started["render"]["id"])
        assert (await stream.next("small enough"))["status"] == "QUEUED"
