"""Renderer processes that run several jobs."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.backends.text.renderers import Renderers
from tests.services.backends.text.rendering import job

pytestmark = pytest.mark.slow  # it starts processes

Process = asyncio.subprocess.Process


@pytest.fixture
async def renderers() -> AsyncIterator[Renderers]:
    renderers = Renderers()
    yield renderers
    await renderers.close()


async def run(process: Process, output: Path) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(job(output, duration_in_frames=1)).encode() + b"\n")
    async with asyncio.timeout(30):
        while b'"done"' not in (line := await process.stdout.readline()):
            assert line


async def test_a_process_runs_one_job_after_the_other(renderers: Renderers, tmp_path: Path) -> None:
    processes = []
    for name in ("first.part", "second.part"):
        processes.append(await renderers.take())
        await run(processes[-1], tmp_path / name)
        renderers.give_back(processes[-1])
    assert processes[0] is processes[1]


async def test_a_busy_process_is_not_taken(renderers: Renderers) -> None:
    first, second = await renderers.take(), await renderers.take()
    assert first is not second
    renderers.give_back(first)
    renderers.give_back(second)
    assert {await renderers.take(), await renderers.take()} == {first, second}
    renderers.give_back(first)
    renderers.give_back(second)


async def test_a_process_that_ended_while_idle_is_replaced(renderers: Renderers) -> None:
    dead = await renderers.take()
    renderers.give_back(dead)
    dead.kill()
    await dead.wait()
    other = await renderers.take()
    assert other is not dead
    renderers.give_back(other)


async def test_a_process_that_is_idle_for_too_long_ends() -> None:
    renderers = Renderers(idle_timeout_s=0.01)
    process = await renderers.take()
    renderers.give_back(process)
    async with asyncio.timeout(30):
        assert await process.wait() == 0


async def test_a_process_ends_after_its_last_job(tmp_path: Path) -> None:
    renderers = Renderers(max_jobs=1)
    process = await renderers.take()
    await run(process, tmp_path / "video.part")
    renderers.give_back(process)
    async with asyncio.timeout(30):
        assert await process.wait() == 0


async def test_closing_kills_idle_processes() -> None:
    renderers = Renderers()
    process = await renderers.take()
    renderers.give_back(process)
    await renderers.close()
    assert process.returncode is not None
