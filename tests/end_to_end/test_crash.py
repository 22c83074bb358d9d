"""What outlives the process: nothing that runs, everything that was promised."""

import asyncio
import os
import signal

import pytest
from websockets.exceptions import ConnectionClosed

from tests.end_to_end.conftest import Start
from tests.end_to_end.processes import Rendercast, wait_until_gone
from tests.support.api_client import CANCEL, RETRY_S, TEST_TIMEOUT_S, UPDATES, Client, Stream, open_client, open_stream

LONG = 600  # frames: a second or more of work
SMALL = {"text_width": 640, "text_height": 360}


async def three_under_way(rendercast: Rendercast, client: Client) -> list[str]:
    """Return the ids of three new renders: one has frames already, another waits if need be, none has ended."""
    ids = [await client.start_render(durationInFrames=LONG) for _ in range(3)]
    async with asyncio.timeout(TEST_TIMEOUT_S):
        while len(rendercast.children()) < min(3, os.cpu_count() or 1):  # noqa: ASYNC110  # another process
            await asyncio.sleep(RETRY_S)
        while not any(render["framesRendered"] for render in await client.list_renders()):  # noqa: ASYNC110  # the same
            await asyncio.sleep(RETRY_S)
    assert {render["status"] for render in await client.list_renders()} <= {"QUEUED", "RENDERING"}
    return ids


def files_of(ids: list[str]) -> list[str]:
    """Return what finished renders leave: a poster and a video each."""
    return sorted(f"{render_id}.{suffix}" for render_id in ids for suffix in ("jpg", "mp4"))


async def closed(stream: Stream) -> None:
    """Wait until the server closes the connection."""
    with pytest.raises(ConnectionClosed):  # noqa: PT012  # after what it still sends
        while True:
            await stream.receive()


async def all_end_well(rendercast: Rendercast, ids: list[str]) -> None:
    async with open_client(rendercast.url) as client:
        renders = [await client.until(render_id, status="COMPLETE") for render_id in ids]
        assert [render["id"] for render in await client.list_renders()] == ids[::-1]
        assert max(render["attempt"] for render in renders) == 2
        assert all(render["framesRendered"] == LONG for render in renders)
        for render in renders:
            video = await client.http.get(render["outputUrl"])
            assert (video.status_code, len(video.content)) == (200, render["outputSizeBytes"])
        assert await client.quota_used() == 3
    assert rendercast.outputs == files_of(ids)


async def test_three_renders_survive_kill_9_of_the_process(start: Start) -> None:
    first = start(**SMALL)
    async with open_client(first.url) as client:
        ids = await three_under_way(first, client)
        children = first.children()
        assert first.end(signal.SIGKILL) == -signal.SIGKILL
    wait_until_gone(children)
    second = start(**SMALL)
    await all_end_well(second, ids)
    assert second.end() == 0


async def test_a_process_asked_to_stop_amid_renders_leaves_nothing_running_and_the_next_one_finishes_them(
    start: Start,
) -> None:
    first = start(**SMALL)
    async with open_client(first.url) as client, open_stream(client) as stream:
        await stream.subscribe(UPDATES)
        ids = await three_under_way(first, client)
        children = first.children()
        assert first.end(signal.SIGTERM) == 0
        await closed(stream)
    wait_until_gone(children)
    assert [name for name in first.outputs if name.endswith(".part")] == []
    await all_end_well(start(**SMALL), ids)


async def test_two_interrupts_from_a_terminal_end_it_in_order_and_use_up_no_try(start: Start) -> None:
    """A terminal sends Ctrl-C to the whole process group; people press it twice, and a client holds on meanwhile."""
    first = start(**SMALL, max_attempts=1)
    async with open_client(first.url) as client, open_stream(client) as stream:
        await stream.subscribe(UPDATES)
        ids = await three_under_way(first, client)
        children = first.children()
        os.killpg(first.process.pid, signal.SIGINT)
        assert first.end(signal.SIGINT) == 0
        await closed(stream)
    wait_until_gone(children)
    assert "Traceback" not in first.log
    await all_end_well(start(**SMALL, max_attempts=1), ids)


async def test_a_video_that_was_finished_but_not_recorded_is_not_rendered_twice(start: Start) -> None:
    first = start(**SMALL)
    async with open_client(first.url) as client:
        render_id = await client.start_render(durationInFrames=LONG)
        await client.until(render_id, phase="RENDERING_FRAMES")
        first.end(signal.SIGKILL)
    video = first.data / "outputs" / f"{render_id}.mp4"
    video.write_bytes(b"a finished video")
    second = start(**SMALL)
    async with open_client(second.url) as client:
        render = await client.until(render_id, status="COMPLETE")
        assert (render["attempt"], render["outputSizeBytes"]) == (1, len(b"a finished video"))


async def test_a_running_render_that_is_cancelled_leaves_nothing_and_keeps_its_unit_and_a_queued_one_gives_it_back(
    start: Start,
) -> None:
    running = os.cpu_count() or 1
    rendercast = start(quota_limit=running + 1, max_duration_s=600)
    async with open_client(rendercast.url) as client:
        ids = [await client.start_render(durationInFrames=30 * LONG) for _ in range(running + 1)]
        for render_id in ids[:-1]:
            await client.until(render_id, phase="RENDERING_FRAMES")
        queued = await client.execute(CANCEL, id=ids[-1])
        assert queued["render"]["status"] == "CANCELLED"
        assert await client.quota_used() == running
        for render_id in ids[:-1]:
            assert (await client.execute(CANCEL, id=render_id))["__typename"] == "CancelRenderSuccess"
        for render_id in ids[:-1]:
            render = await client.until(render_id, status="CANCELLED")
            assert (render["outputUrl"], render["outputSizeBytes"], render["error"]) == (None, None, None)
            assert 0 < render["framesRendered"] < 30 * LONG
        assert rendercast.children() == set()
        assert rendercast.outputs == []
        assert await client.quota_used() == running


async def test_a_renderer_that_is_killed_fails_nobody_elses_render_and_is_started_anew(start: Start) -> None:
    rendercast = start(**SMALL)
    async with open_client(rendercast.url) as client:
        ids = [await client.start_render(durationInFrames=LONG) for _ in range(2)]
        await client.until(ids[0], phase="RENDERING_FRAMES")
        os.kill(min(rendercast.children()), signal.SIGKILL)
        renders = [await client.until(render_id, status="COMPLETE") for render_id in ids]
        assert sorted(render["attempt"] for render in renders) == [1, 2]
    assert rendercast.outputs == files_of(ids)
