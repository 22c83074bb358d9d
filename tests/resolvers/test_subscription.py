"""The guarantees of subscriptions, over real WebSocket frames."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from services.runtime.adapters import open_embedded
from services.settings import load_settings
from tests.support.api_client import CANCEL, DELETE, GET, PROGRESS, RETRY, UPDATES, Client, open_client
from tests.support.api_server import rewired, serve
from tests.support.api_site import CAPACITY, Site
from tests.support.api_stream import Stream, open_stream
from tests.support.fake_backend import FakeBackend

pytestmark = pytest.mark.asyncio(loop_scope="module")

MANY = 100
STEPS = (1, 10, 20, 40, 60, 80, 90)
CHANGES = "subscription { renderChanges { deletedRenderId render { id status progress } } }"
REVISION = "subscription ($id: ID!) { renderProgress(renderId: $id) { id revision status progress } }"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """A site on which each user can start many renders."""
    backend = FakeBackend(capacity=CAPACITY, poll_interval=timedelta(milliseconds=20))
    folder: Path = tmp_path_factory.mktemp("data")
    limits = {"quota_limit": 1000, "max_connections_per_user": 110, "max_operations_per_connection": 100}
    settings = load_settings(data_dir=folder, acquire_interval_s=0.05, **limits)
    async with open_embedded(settings) as services:
        faked = rewired(services, backend=backend)
        async with serve(faked) as url, open_client(url) as client:
            yield Site(http=client.http, services=faked, backend=backend)


async def launched(client: Client, **given: str) -> str:
    """Return the id of a new RENDERING render."""
    render_id = await client.start_render(**given)
    await client.until(render_id, status="RENDERING")
    return render_id


def assert_complete_history(states: list[dict[str, Any]]) -> None:
    revisions = [state["revision"] for state in states]
    assert revisions == sorted(set(revisions))
    progress = [state["progress"] for state in states]
    assert progress == sorted(progress)
    assert [state["status"] for state in states[:-1]] == ["RENDERING"] * (len(states) - 1)
    assert (states[-1]["status"], states[-1]["progress"]) == ("COMPLETE", 100)


# renderProgress


async def test_a_hundred_subscribers_of_one_render_receive_its_states_until_its_end(
    ann: Client, backend: FakeBackend
) -> None:
    render_id = await launched(ann)
    async with AsyncExitStack() as stack:
        streams: list[Stream] = []
        first: list[dict[str, Any]] = []
        for frames in STEPS:
            backend.progress(render_id, frames)
            present = await ann.until(render_id, framesRendered=frames)
            arriving = [await stack.enter_async_context(open_stream(ann)) for _ in range(MANY // len(STEPS) + 1)]
            for stream in arriving:
                await stream.subscribe(REVISION, id=render_id)
                first.append(await stream.next())
                assert first[-1]["revision"] == present["revision"]
            streams += arriving
        assert len(streams) >= MANY
        backend.finish(render_id)
        for initial, states in zip(first, await asyncio.gather(*(stream.rest() for stream in streams)), strict=True):
            assert_complete_history([initial, *states])
        assert len(first) == len(streams)


@pytest.mark.slow
async def test_subscribers_of_a_hundred_renders_receive_all_states_until_the_end(
    ann: Client, backend: FakeBackend
) -> None:
    ids = [await ann.start_render() for _ in range(MANY)]
    for render_id in ids:
        await ann.until(render_id, status="RENDERING")
    async with AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(open_stream(ann)) for _ in ids]
        for render_id, stream in zip(ids, streams, strict=True):
            await stream.subscribe(REVISION, id=render_id)
        first = [await stream.next() for stream in streams]
        for frames in STEPS:
            for render_id in ids:
                backend.progress(render_id, frames)
            await ann.until(ids[0], framesRendered=frames)
            await ann.until(ids[-1], framesRendered=frames)
        for render_id in ids:
            backend.finish(render_id)
        rests = await asyncio.gather(*(stream.rest() for stream in streams))
    for render_id, initial, states in zip(ids, first, rests, strict=True):
        assert {state["id"] for state in (initial, *states)} == {render_id}
        assert_complete_history([initial, *states])
        assert len(states) >= 3


async def test_a_hundred_subscriptions_share_one_connection(ann: Client, backend: FakeBackend) -> None:
    render_id = await launched(ann)
    async with open_stream(ann) as stream:
        for number in range(MANY):
            await stream.subscribe(REVISION, str(number), id=render_id)
        seen: dict[str, list[dict[str, Any]]] = {str(number): [] for number in range(MANY)}
        while not all(seen.values()):
            message = await stream.receive()
            seen[message["id"]] += message["payload"]["data"].values()
        backend.finish(render_id)
        completed = 0
        while completed < MANY:
            message = await stream.receive()
            if message["type"] == "complete":
                assert_complete_history(seen[message["id"]])
                completed += 1
            else:
                seen[message["id"]] += message["payload"]["data"].values()


@pytest.mark.parametrize("end", ["COMPLETE", "FAILED", "CANCELLED"])
async def test_subscribing_after_the_end_returns_one_state_and_completes(
    ann: Client, backend: FakeBackend, end: str
) -> None:
    render_id = await launched(ann)
    if end == "COMPLETE":
        backend.finish(render_id)
    elif end == "FAILED":
        backend.break_down(render_id, retryable=False)
    else:
        await ann.execute(CANCEL, id=render_id)
    render = await ann.until(render_id, status=end)
    async with open_stream(ann) as stream:
        await stream.subscribe(PROGRESS, id=render_id)
        assert await stream.rest() == [render]


async def test_a_subscription_continues_over_failed_attempts_until_the_end(ann: Client, backend: FakeBackend) -> None:
    await backend.stop_starting()
    render_id = await ann.start_render()
    async with open_stream(ann) as stream:
        await stream.subscribe(PROGRESS, id=render_id)
        states = [await stream.next()]
        assert (states[0]["status"], states[0]["revision"]) == ("QUEUED", 1)
        backend.capacity = CAPACITY
        await ann.until(render_id, status="RENDERING")
        backend.progress(render_id, 50)
        await ann.until(render_id, framesRendered=50)
        backend.forget(render_id)
        await ann.until(render_id, attempt=2, status="RENDERING")
        backend.progress(render_id, 10)
        await asyncio.sleep(0)
        backend.finish(render_id)
        states += await stream.rest()
    revisions = [state["revision"] for state in states]
    assert revisions == sorted(set(revisions))
    frames = [state["framesRendered"] for state in states]
    assert frames == sorted(frames)
    assert (states[-1]["status"], states[-1]["attempt"]) == ("COMPLETE", 2)


async def test_a_subscription_ends_with_the_cancellation(ann: Client) -> None:
    render_id = await launched(ann)
    async with open_stream(ann) as stream:
        await stream.subscribe(REVISION, id=render_id)
        await stream.next()
        await ann.execute(CANCEL, id=render_id)
        assert (await stream.rest())[-1]["status"] == "CANCELLED"


async def test_a_completed_subscription_receives_nothing_and_its_id_can_be_reused(
    ann: Client, backend: FakeBackend
) -> None:
    render_id = await launched(ann)
    async with open_stream(ann) as stream:
        await stream.subscribe(REVISION, "a", id=render_id)
        await stream.next("a")
        await stream.send(id="a", type="complete")
        await stream.subscribe(REVISION, "b", id=render_id)
        await stream.next("b")
        backend.finish(render_id)
        assert (await stream.rest("b"))[-1]["status"] == "COMPLETE"
        await stream.subscribe(REVISION, "a", id=render_id)
        assert len(await stream.rest("a")) == 1


async def test_subscriptions_and_queries_return_the_same_states(ann: Client, backend: FakeBackend) -> None:
    render_id = await launched(ann)
    async with open_stream(ann) as stream:
        await stream.subscribe(PROGRESS, id=render_id)
        assert (await stream.next())["revision"] == (await ann.execute(GET, id=render_id))["revision"]
        backend.finish(render_id)
        assert (await stream.rest())[-1] == await ann.execute(GET, id=render_id)


# renderUpdates


async def test_updates_start_with_unfinished_renders_and_continue_with_every_change(
    ann: Client, bob: Client, backend: FakeBackend
) -> None:
    done = await launched(ann)
    backend.finish(done)
    await ann.until(done, status="COMPLETE")
    await backend.stop_starting()
    old = [await ann.start_render() for _ in range(2)]
    async with open_stream(ann) as stream:
        await stream.subscribe(UPDATES)
        assert [(await stream.next())["id"] for _ in old] == old
        bobs = await bob.start_render()
        new = await ann.start_render()
        first = await stream.next()
        assert (first["id"], first["status"], first["revision"]) == (new, "QUEUED", 1)
        cancelled = await ann.execute(CANCEL, id=old[0])
        assert await stream.next() == cancelled["render"]
        retried = (await ann.execute(RETRY, id=old[0]))["render"]["id"]
        assert (await stream.next())["id"] == retried
        backend.capacity = CAPACITY
        left = {old[1], new, retried}
        seen: dict[str, list[int]] = {render_id: [0] for render_id in left}
        while left:
            state = await stream.next()
            assert state["id"] != bobs
            seen[state["id"]].append(state["revision"])
            if state["status"] == "RENDERING":
                backend.finish(state["id"])
            elif state["status"] == "COMPLETE":
                left.remove(state["id"])
        assert all(revisions == sorted(set(revisions)) for revisions in seen.values())


async def test_deleting_a_render_sends_no_update(ann: Client, backend: FakeBackend) -> None:
    render_id = await ended(ann, backend)
    await backend.stop_starting()
    async with open_stream(ann) as stream:
        await stream.subscribe(UPDATES)
        assert (await ann.execute(DELETE, id=render_id))["__typename"] == "DeleteRenderSuccess"
        new = await ann.start_render()
        assert (await stream.next())["id"] == new


# renderChanges


async def test_changes_are_the_updates_and_deletions(ann: Client, bob: Client, backend: FakeBackend) -> None:
    bobs, old = await ended(bob, backend), await ended(ann, backend)
    render_id = await launched(ann)
    async with open_stream(ann) as stream:
        await stream.subscribe(CHANGES)
        assert await stream.next() == changed(render_id, "RENDERING")
        for client, id_ in ((bob, bobs), (ann, old)):
            assert (await client.execute(DELETE, id=id_))["__typename"] == "DeleteRenderSuccess"
        assert await stream.next() == {"deletedRenderId": old, "render": None}
        backend.progress(render_id, 45)
        assert await stream.next() == changed(render_id, "RENDERING", progress=50)
        backend.finish(render_id)
        assert await stream.next() == changed(render_id, "COMPLETE", progress=100)
        await ann.execute(DELETE, id=render_id)
        assert await stream.next() == {"deletedRenderId": render_id, "render": None}


def changed(render_id: str, status: str, *, progress: int = 0) -> dict[str, object]:
    return {"deletedRenderId": None, "render": {"id": render_id, "status": status, "progress": progress}}


async def ended(client: Client, backend: FakeBackend) -> str:
    """Return the id of a new COMPLETE render."""
    render_id = await launched(client)
    backend.finish(render_id)
    await client.until(render_id, status="COMPLETE")
    return render_id
