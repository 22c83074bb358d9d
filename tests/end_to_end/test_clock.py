"""`rendercast dev` while the machine's clock is set, or all its processes are suspended."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.end_to_end.conftest import Start
from tests.end_to_end.faketime import WallClock, needs_libfaketime
from tests.end_to_end.processes import Running, assert_no_traceback
from tests.end_to_end.slow import SlowRenderers
from tests.support.api_client import GET, TEST_TIMEOUT_S, Client, open_client, pauses

FRAMES = 600  # ten seconds or more with slow renderers; the time limit is three minutes
SETTINGS = {"text_width": 320, "text_height": 180, "worker_capacity": 1}
HOUR_S = 3600
SUSPENDED = str(Path(__file__).with_name("suspended.py"))


async def until_more_frames(client: Client, render_id: str) -> None:
    """Wait until the renderer has drawn more frames than now."""
    before = (await client.execute(GET, id=render_id))["framesRendered"]
    pause = pauses()
    async with asyncio.timeout(TEST_TIMEOUT_S):
        while (render := await client.execute(GET, id=render_id))["framesRendered"] <= before:
            assert render["status"] in {"QUEUED", "RENDERING"}, render
            await asyncio.sleep(next(pause))


@asynccontextmanager
async def disturbed(server: Running, renderers: SlowRenderers) -> AsyncIterator[list[Mapping[str, Any]]]:
    """Within the context, one render is running and one is queued. After it, both must complete.

    They are then in the list.
    """
    completed: list[Mapping[str, Any]] = []
    async with open_client(server.url) as client:
        moving = {"text": "word " * 90, "style": "TYPEWRITER"}  # frames at rest would be encoded once
        running, queued = [await client.start_render(**moving, durationInFrames=FRAMES) for _ in range(2)]
        await until_more_frames(client, running)
        yield completed
        await until_more_frames(client, running)
        renderers.speed_up()
        for render_id in (running, queued):
            render = await client.until(render_id, status="COMPLETE")
            assert (render["attempt"], render["framesRendered"]) == (1, FRAMES)
            completed.append(render)


@needs_libfaketime
async def test_a_wall_clock_set_an_hour_forward_and_two_hours_back_loses_no_render(
    start: Start, renderers: SlowRenderers, tmp_path: Path
) -> None:
    clock = WallClock(tmp_path)
    renderers.slow_down()
    server = start(**SETTINGS, **clock.settings)
    async with disturbed(server, renderers) as completed:
        for ahead_s in (HOUR_S, -HOUR_S):
            await clock.set_forward(ahead_s, url=server.url)
            await asyncio.sleep(1)  # with the clock as it is now, for the loops that run each second
    # The server's clock was set back, so that the end of the second render would precede its creation.
    assert completed[1]["completedAt"] == completed[1]["createdAt"]


async def test_a_suspension_of_all_processes_loses_no_render(tmp_path: Path, renderers: SlowRenderers) -> None:
    skipped_s = tmp_path / "skipped seconds"
    skipped_s.write_text("0")
    command = [sys.executable, SUSPENDED, str(skipped_s), "dev", "--port", "0"]
    renderers.slow_down()
    server = Running(tmp_path, command, {**SETTINGS, **renderers.settings})
    try:
        async with disturbed(server, renderers):
            processes = [server.process.pid, *server.children()]
            for process_id in processes:
                os.kill(process_id, signal.SIGSTOP)
            unfinished = skipped_s.with_suffix(".new")
            unfinished.write_text(str(HOUR_S))
            unfinished.rename(skipped_s)
            for process_id in processes:
                os.kill(process_id, signal.SIGCONT)
        assert_no_traceback(server.log)
    finally:
        server.close()
