"""A child process that hangs, as under SIGSTOP, is killed, and its attempt can be repeated."""

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.backends.text.backend import TextBackend
from services.backends.text.time_limits import max_silence_s
from services.media import Media
from services.models import Render
from services.ports import AttemptFailed, AttemptFinished, AttemptProgress, Observation
from tests.conftest import MakeRender
from tests.services.backends.test_backend_contract import ENDLESS, SHORT, until
from tests.services.backends.text.test_backend import is_alive, launch, process_id
from tests.support.fake_clock import FakeClock
from tests.support.text_renderer import text_renderer

pytestmark = pytest.mark.slow  # each render is a process
STEP_S = 5
MAX_SILENCE_S = max_silence_s(Media(frames=1, fps=30, width=64, height=64))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def backend(tmp_path: Path, clock: FakeClock) -> AsyncIterator[TextBackend]:
    async with text_renderer(tmp_path, width=64, height=64, base_url="http://x", clock=clock) as opened:
        yield opened


async def start_hung(backend: TextBackend, render: Render) -> int:
    """Start a child, stop it by SIGSTOP, and return its process id."""
    await backend.start(render)
    pid = process_id(backend, render)
    os.kill(pid, signal.SIGSTOP)
    return pid


async def poll_for(clock: FakeClock, backend: TextBackend, render: Render, seconds: float) -> Observation:
    for _ in range(int(seconds / STEP_S) - 1):
        await clock.advance(STEP_S)
        await backend.observe(render)
    await clock.advance(STEP_S)
    return await backend.observe(render)


async def test_a_child_without_messages_is_killed_before_the_time_limit_and_can_be_repeated(
    backend: TextBackend, clock: FakeClock, make_render: MakeRender, tmp_path: Path
) -> None:
    render = launch(make_render(**ENDLESS))
    pid = await start_hung(backend, render)
    assert isinstance(await poll_for(clock, backend, render, MAX_SILENCE_S - STEP_S), AttemptProgress)
    hung = await poll_for(clock, backend, render, 4 * STEP_S)
    assert isinstance(hung, AttemptFailed)
    assert (hung.failure.code, hung.failure.retryable) == ("RENDERER_CRASHED", True)
    assert not is_alive(pid)
    assert await backend.stop(render) is None
    assert list((tmp_path / "outputs").iterdir()) == []
    assert backend.time_limit(render).total_seconds() > 2 * MAX_SILENCE_S
    again = launch(make_render(props=SHORT))
    await backend.start(again)
    await until(backend, again, AttemptFinished)


async def test_a_child_that_was_suspended_with_its_parent_is_not_hung(
    backend: TextBackend, clock: FakeClock, make_render: MakeRender
) -> None:
    render = launch(make_render(props=SHORT))
    pid = await start_hung(backend, render)
    for _ in range(3):
        await clock.suspend(3600)
        assert isinstance(await backend.observe(render), AttemptProgress)
    os.kill(pid, signal.SIGCONT)
    await until(backend, render, AttemptFinished)
