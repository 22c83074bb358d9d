"""The contract of `RenderBackend`, tested for each backend. A new adapter is one more fixture."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest
import pytest_asyncio

from services.clock import SystemClock
from services.errors import BackendUnavailable
from services.media import FORMATS, Media, OutputFormat, OutputKind, OutputOptions, output_media
from services.models import TEXT_ANIMATION, Output, Render, replace
from services.ports import AttemptFailed, AttemptFinished, AttemptMissing, AttemptProgress, Observation, RenderBackend
from services.renders import lifecycle
from tests.conftest import PROPS, MakeRender
from tests.support.lambda_scenarios import Scenario
from tests.support.node_renderer import needs_node, node_backend
from tests.support.remotion_farm import Farm
from tests.support.text_renderer import text_renderer

# Takes minutes, so that tests observe it before its end on any machine; with a bitrate, no frames are repeated.
ENDLESS_FRAMES = 100_000
ENDLESS_PROPS = replace(PROPS, text="An endless text", duration_in_frames=ENDLESS_FRAMES)
ENDLESS: dict[str, object] = {"props": ENDLESS_PROPS, "output_options": OutputOptions(bitrate_kbps=500)}
SOME = replace(PROPS, duration_in_frames=20)
SHORT = replace(PROPS, duration_in_frames=1)
INVALID_TEXT = "undrawable"

END_TIMEOUT_S = 120  # for a whole render on a busy machine

Kind = TypeVar("Kind", bound=Observation)


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def text_backend(tmp_path: Path) -> AsyncIterator[RenderBackend]:
    async with text_renderer(tmp_path) as backend:
        yield backend


@pytest_asyncio.fixture(loop_scope="module")
async def lambda_backend(farm: Farm) -> AsyncIterator[RenderBackend]:
    farm.function.use_scenario_for_text(INVALID_TEXT, Scenario.REACT_ERROR)
    farm.function.use_scenario_for_text(ENDLESS_PROPS.text, Scenario.CHUNK_HANGS)
    async with farm.open(posters=True) as backend:
        yield backend


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def remotion_backend(node_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RenderBackend]:
    """One backend for all tests: the start of Node and the browser takes half a second of CPU time."""
    async with node_backend(node_bundle, tmp_path_factory.mktemp("node")) as backend:
        yield backend


@pytest.fixture(
    params=[
        pytest.param("text_backend", marks=pytest.mark.slow),
        pytest.param("lambda_backend", marks=pytest.mark.slow),
        pytest.param("remotion_backend", marks=[pytest.mark.slow, needs_node]),
    ]
)
def backend(request: pytest.FixtureRequest) -> RenderBackend:
    opened: RenderBackend = request.getfixturevalue(request.param)
    return opened


@pytest.fixture
def launched(make_render: MakeRender) -> Callable[..., Render]:
    def make(**values: object) -> Render:
        render = make_render(**{"props": SOME, **values})
        return lifecycle.launch(render, now=render.created_at)

    return make


Launched = Callable[..., Render]


async def start_attempt(backend: RenderBackend, render: Render) -> Render:
    """Start an attempt of the render and return the render with the backend's id."""
    return lifecycle.accept(render, backend_render_id=await backend.start(render))


async def until(
    backend: RenderBackend, render: Render, *kinds: type[Kind], seen: list[Observation] | None = None
) -> Kind:
    """Poll until an observation is of one of these kinds, and return it; before it, there may only be progress.

    A poll may fail: the tests' S3 responds with 500 if an object is deleted while it is read.
    """
    async with asyncio.timeout(END_TIMEOUT_S):
        while True:
            try:
                observation = await backend.observe(render)
            except BackendUnavailable:
                await asyncio.sleep(0.01)
                continue
            if seen is not None:
                seen.append(observation)
            if isinstance(observation, kinds):
                return observation
            assert isinstance(observation, AttemptProgress), observation
            await asyncio.sleep(0.01)


async def test_an_attempt_reports_its_progress(backend: RenderBackend, launched: Launched) -> None:
    render = await start_attempt(backend, launched(**ENDLESS))
    async with asyncio.timeout(END_TIMEOUT_S):
        while not (progress := await until(backend, render, AttemptProgress)).frames_rendered:  # noqa: ASYNC110  # a poll
            await asyncio.sleep(0.01)
    assert 0 < progress.frames_rendered < ENDLESS_FRAMES
    assert 0.0 < progress.fraction < 1.0
    assert await backend.stop(render) is None


async def test_an_attempt_ends_with_a_stored_output(backend: RenderBackend, launched: Launched) -> None:
    render = await start_attempt(backend, launched())
    assert render.backend_render_id
    seen: list[Observation] = []
    end = await until(backend, render, AttemptFinished, seen=seen)
    reports = [observation for observation in seen if isinstance(observation, AttemptProgress)]
    assert all(0 <= report.frames_rendered <= SOME.duration_in_frames for report in reports)
    assert all(0.0 <= report.fraction <= 1.0 for report in reports)
    assert end.output.size_bytes > 0
    assert await backend.has_output(end.output)
    await backend.abandon(render)
    assert await backend.has_output(end.output)


async def test_another_process_finds_a_finished_attempt(backend: RenderBackend, launched: Launched) -> None:
    render = await start_attempt(backend, launched(props=SHORT))
    end = await until(backend, render, AttemptFinished)
    await backend.abandon(render)
    assert (await until(backend, render, AttemptFinished)).output == end.output


async def test_a_url_is_valid_for_the_requested_time(backend: RenderBackend, launched: Launched) -> None:
    end = await until(backend, await start_attempt(backend, launched(props=SHORT)), AttemptFinished)
    before = SystemClock().now()
    download = backend.sign(end.output, expires_in=timedelta(hours=1))
    assert download.url.startswith(("http://", "https://"))
    assert timedelta(minutes=59) < download.expires_at - before <= timedelta(hours=1, seconds=1)


async def test_a_finished_video_has_a_poster(backend: RenderBackend, launched: Launched) -> None:
    output = (await until(backend, await start_attempt(backend, launched()), AttemptFinished)).output
    before = SystemClock().now()
    download = backend.sign_poster(output, expires_in=timedelta(hours=1))
    assert output.poster_key is not None
    assert download is not None
    assert download.url.partition("?")[0].endswith(output.poster_key)
    assert timedelta(minutes=59) < download.expires_at - before <= timedelta(hours=1, seconds=1)
    assert await backend.has_output(replace(output, key=output.poster_key))


async def test_compositions_are_discovered_with_the_formats_of_the_backend(backend: RenderBackend) -> None:
    found = await backend.compositions()
    assert backend.site
    assert TEXT_ANIMATION in {composition.id for composition in found}
    assert all(composition.outputs and backend.formats.issuperset(composition.outputs) for composition in found)


@pytest.mark.parametrize("name", [OutputFormat.VP9, OutputFormat.PRORES, OutputFormat.GIF, OutputFormat.PNG])
async def test_an_output_has_the_extension_of_its_format(
    backend: RenderBackend, launched: Launched, name: OutputFormat
) -> None:
    options, composition = OutputOptions(format=name, scale=0.5), Media(frames=1, fps=30, width=320, height=180)
    values = {"props": SHORT, "output_options": options, "media": output_media(composition, options)}
    end = await until(backend, await start_attempt(backend, launched(**values)), AttemptFinished)
    assert end.output.key.endswith(f".{FORMATS[name].extension}")
    assert (end.output.poster_key is None) is (FORMATS[name].kind is OutputKind.STILL)
    assert end.media is None or end.media.frames == 1


async def test_a_url_with_a_file_name_is_another_one(backend: RenderBackend, launched: Launched) -> None:
    end = await until(backend, await start_attempt(backend, launched(props=SHORT)), AttemptFinished)
    shown = backend.sign(end.output, expires_in=timedelta(hours=1))
    saved = backend.sign(end.output, expires_in=timedelta(hours=1), file_name="Promo-1.mp4")
    assert shown.url != saved.url
    assert saved.url.isascii()


async def test_an_output_without_a_poster_has_no_poster_url(backend: RenderBackend) -> None:
    without = Output(bucket="b", key="k.mp4", size_bytes=1)
    assert backend.sign_poster(without, expires_in=timedelta(hours=1)) is None


async def test_deleting_removes_the_output_and_may_be_repeated(backend: RenderBackend, launched: Launched) -> None:
    render = await start_attempt(backend, launched(props=SHORT))
    output = (await until(backend, render, AttemptFinished)).output
    ended = lifecycle.complete(render, output=output, cost_usd=None, warnings=(), now=SystemClock().now())
    for _ in range(2):
        await backend.delete(ended)
        assert not await backend.has_output(output)
        assert not await backend.has_output(replace(output, key=output.poster_key or ""))


async def test_an_attempt_that_was_not_started_never_ends(backend: RenderBackend, launched: Launched) -> None:
    """A backend that can't distinguish it from one whose response was lost reports progress until the deadline."""
    assert isinstance(await backend.observe(launched()), AttemptMissing | AttemptProgress)


async def test_a_stopped_attempt_ends_without_output_and_may_be_stopped_again(
    backend: RenderBackend, launched: Launched
) -> None:
    render = await start_attempt(backend, launched(**ENDLESS))
    for _ in range(2):
        assert await backend.stop(render) is None
        await until(backend, render, AttemptMissing, AttemptFailed)


async def test_stopping_an_attempt_returns_its_stored_output(backend: RenderBackend, launched: Launched) -> None:
    render = await start_attempt(backend, launched(props=SHORT))
    end = await until(backend, render, AttemptFinished)
    for _ in range(2):
        stopped = await backend.stop(render)
        assert stopped is not None
        assert replace(stopped.output, poster_key=None) == replace(end.output, poster_key=None)


async def test_attempts_run_concurrently_and_independently(backend: RenderBackend, launched: Launched) -> None:
    stays, goes = await start_attempt(backend, launched()), await start_attempt(backend, launched(**ENDLESS))
    await backend.stop(goes)
    await until(backend, stays, AttemptFinished)


async def test_the_time_limit_permits_the_longest_render(backend: RenderBackend, launched: Launched) -> None:
    assert backend.time_limit(launched(props=replace(PROPS, duration_in_frames=600))) >= timedelta(seconds=60)
    assert backend.capacity >= 1
    assert backend.poll_interval > timedelta(0)


async def test_invalid_input_fails_with_a_message(backend: RenderBackend, launched: Launched) -> None:
    """Validation rejects such input; a backend must still not hang or crash on it."""
    render = await start_attempt(backend, launched(props=replace(PROPS, text=INVALID_TEXT, color="no colour")))
    broken = await until(backend, render, AttemptFailed)
    assert broken.failure.message
