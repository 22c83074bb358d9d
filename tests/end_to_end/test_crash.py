"""Killed and stopped processes: no renderer is left running, and the next process completes their renders."""

import asyncio
import os
import signal

import pytest
from websockets.exceptions import ConnectionClosed

from services.backends.cores import available_cores
from tests.end_to_end.conftest import Start
from tests.end_to_end.processes import Rendercast, assert_no_traceback, wait_until_gone
from tests.end_to_end.slow import SlowRenderers
from tests.support.api_client import CANCEL, GET, TEST_TIMEOUT_S, UPDATES, Client, open_client, pauses
from tests.support.api_stream import Stream, open_stream

LONG = 600  # frames: ten seconds or more with slow renderers
SMALL = {"text_width": 320, "text_height": 180}


async def three_in_progress(rendercast: Rendercast, client: Client) -> list[str]:
    """Start three renders and return their ids when at least one has frames; none has ended."""
    ids = [await client.start_render(durationInFrames=LONG) for _ in range(3)]
    pause = pauses()
    async with asyncio.timeout(TEST_TIMEOUT_S):
        while len(rendercast.children()) < min(3, available_cores()):  # noqa: ASYNC110  # another process
            await asyncio.sleep(next(pause))
        while not any(render["framesRendered"] for render in await client.list_renders()):  # noqa: ASYNC110  # the same
            await asyncio.sleep(next(pause))
    assert {render["status"] for render in await client.list_renders()} <= {"QUEUED", "RENDERING"}
    return ids


def files_of(ids: list[str]) -> list[str]:
    """Return the names of the output files of renders: a poster and a video each."""
    return sorted(f"{render_id}.{suffix}" for render_id in ids for suffix in ("jpg", "mp4"))


async def until_drawing(client: Client, render_id: str) -> None:
    """Wait until the render has frames."""
    async with asyncio.timeout(TEST_TIMEOUT_S):
        for pause_s in pauses():
            if (await client.execute(GET, id=render_id))["framesRendered"]:
                return
            await asyncio.sleep(pause_s)


async def closed(stream: Stream) -> None:
    """Wait until the server closes the connection."""
    with pytest.raises(ConnectionClosed):  # noqa: PT012  # after the messages that it still sends
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


async def test_three_renders_survive_kill_9_of_the_process(start: Start, renderers: SlowRenderers) -> None:
    renderers.slow_down()
    first = start(**SMALL)
    async with open_client(first.url) as client:
        ids = await three_in_progress(first, client)
        children = first.children()
        assert first.end(signal.SIGKILL) == -signal.SIGKILL
    wait_until_gone(children)
    renderers.speed_up()
    second = start(**SMALL)
    await all_end_well(second, ids)
    assert second.end() == 0


async def test_sigterm_during_renders_leaves_no_renderer_running_and_the_next_process_completes_them(
    start: Start, renderers: SlowRenderers
) -> None:
    renderers.slow_down()
    first = start(**SMALL)
    async with open_client(first.url) as client, open_stream(client) as stream:
        await stream.subscribe(UPDATES)
        ids = await three_in_progress(first, client)
        children = first.children()
        assert first.end(signal.SIGTERM) == 0
        await closed(stream)
    wait_until_gone(children)
    assert [name for name in first.outputs if name.endswith(".part")] == []
    renderers.speed_up()
    await all_end_well(start(**SMALL), ids)


async def test_two_interrupts_from_a_terminal_end_it_orderly_and_count_as_no_attempt(
    start: Start, renderers: SlowRenderers
) -> None:
    """A terminal sends Ctrl-C to the whole process group; it is pressed twice while a client is connected."""
    renderers.slow_down()
    first = start(**SMALL, max_attempts=1)
    async with open_client(first.url) as client, open_stream(client) as stream:
        await stream.subscribe(UPDATES)
        ids = await three_in_progress(first, client)
        children = first.children()
        os.killpg(first.process.pid, signal.SIGINT)
        assert first.end(signal.SIGINT) == 0
        await closed(stream)
    wait_until_gone(children)
    assert_no_traceback(first.log)
    renderers.speed_up()
    await all_end_well(start(**SMALL, max_attempts=1), ids)


async def test_a_video_that_was_complete_but_not_recorded_is_not_rendered_again(
    start: Start, renderers: SlowRenderers
) -> None:
    renderers.slow_down()
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


async def test_a_cancelled_render_leaves_no_file_and_costs_quota_only_if_it_ran(
    start: Start, renderers: SlowRenderers
) -> None:
    renderers.slow_down()
    running = available_cores()
    rendercast = start(quota_limit=running + 1, **SMALL)
    async with open_client(rendercast.url) as client:
        ids = [await client.start_render(durationInFrames=LONG) for _ in range(running + 1)]
        for render_id in ids[:-1]:
            await until_drawing(client, render_id)
        queued = await client.execute(CANCEL, id=ids[-1])
        assert queued["render"]["status"] == "CANCELLED"
        assert await client.quota_used() == running
        for render_id in ids[:-1]:
            assert (await client.execute(CANCEL, id=render_id))["__typename"] == "CancelRenderSuccess"
        for render_id in ids[:-1]:
            render = await client.until(render_id, status="CANCELLED")
            assert (render["outputUrl"], render["outputSizeBytes"], render["error"]) == (None, None, None)
            assert 0 < render["framesRendered"] < LONG
        assert len(rendercast.children()) <= 1, "at most a spare process"
        assert rendercast.outputs == []
        assert await client.quota_used() == running


async def test_a_killed_renderer_fails_no_other_render_and_is_restarted(start: Start, renderers: SlowRenderers) -> None:
    renderers.slow_down()
    rendercast = start(**SMALL)
    async with open_client(rendercast.url) as client:
        ids = [await client.start_render(durationInFrames=LONG) for _ in range(2)]
        await client.until(ids[0], phase="RENDERING_FRAMES")
        os.kill(min(rendercast.children()), signal.SIGKILL)
        renderers.speed_up()
        renders = [await client.until(render_id, status="COMPLETE") for render_id in ids]
        assert sorted(render["attempt"] for render in renders) == [1, 2]
    assert rendercast.outputs == files_of(ids)
