"""What every backend promises, over each backend there is. A new adapter is one more fixture."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest

from services import lifecycle
from services.backends.local.backend import open_local_backend
from services.clock import SystemClock
from services.models import Render
from services.ports import Broken, Finished, Missing, Observation, Progress, RenderBackend
from tests.conftest import PROPS, MakeRender

LONG = replace(PROPS, duration_in_frames=600)

Kind = TypeVar("Kind", bound=Observation)


@asynccontextmanager
async def local(folder: Path) -> AsyncIterator[RenderBackend]:
    settings = {"width": 320, "height": 180, "base_url": "http://127.0.0.1:1"}
    async with open_local_backend(data_dir=folder, clock=SystemClock(), **settings) as backend:  # type: ignore[arg-type]
        yield backend


@pytest.fixture(params=[local])
async def backend(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[RenderBackend]:
    async with request.param(tmp_path) as opened:
        yield opened


@pytest.fixture
def launched(make_render: MakeRender) -> Callable[..., Render]:
    def make(**values: object) -> Render:
        render = make_render(**values)
        return lifecycle.launch(render, now=render.created_at, deadline_at=render.created_at + timedelta(hours=1))

    return make


Launched = Callable[..., Render]


async def until(
    backend: RenderBackend, render: Render, kind: type[Kind], seen: list[Observation] | None = None
) -> Kind:
    async with asyncio.timeout(60):
        while True:
            observation = await backend.observe(render)
            if seen is not None:
                seen.append(observation)
            if isinstance(observation, kind):
                return observation
            assert isinstance(observation, Progress), observation
            await asyncio.sleep(0.01)


async def test_an_attempt_reports_progress_and_ends_with_a_stored_output(
    backend: RenderBackend, launched: Launched
) -> None:
    render = launched()
    assert await backend.start(render)
    seen: list[Observation] = []
    finished = await until(backend, render, Finished, seen)
    reports = [observation for observation in seen if isinstance(observation, Progress)]
    assert any(0 < report.frames_rendered <= 90 for report in reports)
    assert all(0.0 <= report.fraction <= 1.0 for report in reports)
    assert finished.output.size_bytes > 0
    assert await backend.has_output(finished.output)
    await backend.abandon(render)
    assert await backend.has_output(finished.output)


async def test_a_url_is_good_for_as_long_as_was_asked(backend: RenderBackend, launched: Launched) -> None:
    render = launched(props=replace(PROPS, duration_in_frames=1))
    await backend.start(render)
    finished = await until(backend, render, Finished)
    before = SystemClock().now()
    download = backend.sign(finished.output, expires_in=timedelta(hours=1))
    assert download.url.startswith(("http://", "https://"))
    assert timedelta(minutes=59) < download.expires_at - before <= timedelta(hours=1, seconds=1)


async def test_a_deleted_output_is_gone_and_may_be_deleted_again(backend: RenderBackend, launched: Launched) -> None:
    render = launched(props=replace(PROPS, duration_in_frames=1))
    await backend.start(render)
    finished = await until(backend, render, Finished)
    ended = lifecycle.complete(render, output=finished.output, cost_usd=None, warnings=(), now=SystemClock().now())
    for _ in range(2):
        await backend.delete(ended)
        assert not await backend.has_output(finished.output)


async def test_an_attempt_nobody_started_is_missing(backend: RenderBackend, launched: Launched) -> None:
    assert await backend.observe(launched()) == Missing()


async def test_a_cancelled_attempt_is_gone_and_may_be_cancelled_again(
    backend: RenderBackend, launched: Launched
) -> None:
    render = launched(props=LONG)
    await backend.start(render)
    for _ in range(2):
        await backend.cancel(render)
        assert await backend.observe(render) == Missing()


async def test_attempts_run_side_by_side_and_apart(backend: RenderBackend, launched: Launched) -> None:
    stays, goes = launched(), launched(props=LONG)
    await backend.start(stays)
    await backend.start(goes)
    await backend.cancel(goes)
    await until(backend, stays, Finished)


async def test_the_time_limit_admits_the_longest_render(backend: RenderBackend, launched: Launched) -> None:
    assert backend.time_limit(launched(props=LONG)) >= timedelta(seconds=60)
    assert backend.capacity >= 1
    assert backend.poll_interval > timedelta(0)


async def test_what_can_not_be_drawn_breaks_with_a_sentence(backend: RenderBackend, launched: Launched) -> None:
    """Validation keeps this out; a backend still must not hang or crash on it."""
    render = launched(props=replace(PROPS, color="no colour"))
    await backend.start(render)
    broken = await until(backend, render, Broken)
    assert broken.failure.message
