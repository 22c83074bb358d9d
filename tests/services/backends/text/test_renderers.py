"""Renderer processes that run several jobs."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from services.backends.text.renderers import Renderers
from tests.services.backends.text.rendering import job
from tests.support.text_renderer import NO_SPARE_S

pytestmark = pytest.mark.slow  # it starts processes

Process = asyncio.subprocess.Process


@pytest.fixture
async def renderers() -> AsyncIterator[Renderers]:
    renderers = Renderers(spare_delay_s=NO_SPARE_S)
    yield renderers
    await renderers.close()


async def run(process: Process, output: Path) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(job(output, duration_in_frames=1)).encode() + b"\n")
    async with asyncio.timeout(30):
        while b'"done"' not in (line := await process.stdout.readline()):
            assert line


async def ends(process: Process) -> None:
    """Wait until the process has ended by itself, and its pipe too, so that the event loop can be closed."""
    assert process.stdout is not None
    async with asyncio.timeout(30):
        assert await process.stdout.read() == b""
        assert await process.wait() == 0


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
    renderers = Renderers(idle_timeout_s=0.01, spare_delay_s=NO_SPARE_S)
    process = await renderers.take()
    renderers.give_back(process)
    await ends(process)
    await renderers.close()


async def test_a_process_ends_after_its_last_job(tmp_path: Path) -> None:
    renderers = Renderers(max_jobs=1, spare_delay_s=NO_SPARE_S)
    process = await renderers.take()
    await run(process, tmp_path / "video.part")
    renderers.give_back(process)
    await ends(process)
    await renderers.close()


@pytest.fixture
async def with_spares() -> AsyncIterator[Callable[..., Renderers]]:
    """Return a function that opens `Renderers` which start spare processes without delay."""
    async with AsyncExitStack() as stack:

        def open_renderers(**options: Any) -> Renderers:
            opened = Renderers(spare_delay_s=0, **options)
            stack.push_async_callback(opened.close)
            return opened

        yield open_renderers


async def spare_of(renderers: Renderers) -> Process:
    """Return the spare process once it has been started."""
    assert renderers._preparing is not None
    await renderers._preparing
    (process,) = renderers._idle
    return process


async def test_a_spare_process_is_started_while_another_renders(with_spares: Callable[..., Renderers]) -> None:
    renderers = with_spares()
    first = await renderers.take()
    spare = await spare_of(renderers)
    second = await renderers.take()
    assert second is spare is not first
    renderers.give_back(first)
    renderers.give_back(second)


async def test_a_spare_process_is_started_for_the_first_job(with_spares: Callable[..., Renderers]) -> None:
    renderers = with_spares()
    renderers.prepare_spare()
    spare = await spare_of(renderers)
    assert renderers._idle[spare] is not None  # it has a timeout
    assert await renderers.take() is spare
    renderers.give_back(spare)


async def test_a_spare_process_is_taken_while_it_is_being_started(with_spares: Callable[..., Renderers]) -> None:
    renderers = with_spares()
    renderers.prepare_spare()
    while not renderers._starting.locked():  # noqa: ASYNC110  # until its task runs
        await asyncio.sleep(0)
    process = await renderers.take()
    assert renderers._idle == {}
    renderers.give_back(process)


async def test_a_spare_process_is_always_kept_on_request(with_spares: Callable[..., Renderers]) -> None:
    renderers = with_spares(keeps_spare=True, idle_timeout_s=0.01)
    renderers.prepare_spare()
    spare = await spare_of(renderers)
    assert renderers._idle[spare] is None  # no timeout
    renderers.give_back(await renderers.take())
    await ends(spare)  # it has been used
    assert renderers._idle[await spare_of(renderers)] is None


async def test_closing_while_a_spare_process_is_started_leaves_none(with_spares: Callable[..., Renderers]) -> None:
    renderers = with_spares()
    renderers.prepare_spare()
    await renderers.close()
    assert renderers._idle == {}


async def test_closing_kills_idle_processes() -> None:
    renderers = Renderers(spare_delay_s=NO_SPARE_S)
    process = await renderers.take()
    renderers.give_back(process)
    await renderers.close()
    assert process.returncode is not None
