import asyncio
import os
import signal
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from services.backends.text.backend import TextBackend
from services.backends.text.formats import TEXT_FORMATS
from services.errors import StartImpossible, StartupError
from services.media import FORMATS, Media, OutputFormat, OutputKind, OutputOptions
from services.models import TEXT_ANIMATION, Render, replace
from services.ports import AttemptFailed, AttemptFinished, AttemptMissing, AttemptProgress
from services.renders import lifecycle
from tests.conftest import PROPS, MakeRender
from tests.services.backends.test_backend_contract import END_TIMEOUT_S, ENDLESS, ENDLESS_FRAMES, until
from tests.support.api_client import TEST_TIMEOUT_S
from tests.support.text_renderer import text_renderer

pytestmark = pytest.mark.slow  # each render is a process


@pytest.fixture
async def text_backend(tmp_path: Path) -> AsyncIterator[TextBackend]:
    async with text_renderer(tmp_path) as opened:
        yield opened


@pytest.fixture
def render(make_render: MakeRender) -> Render:
    return launch(make_render(**ENDLESS))


def launch(render: Render) -> Render:
    return lifecycle.launch(render, now=render.created_at)


def process_id(backend: TextBackend, render: Render) -> int:
    return backend._attempts[render.id].process.pid


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_crashed_child_fails_only_its_own_render(
    text_backend: TextBackend, render: Render, make_render: MakeRender
) -> None:
    healthy = launch(make_render())
    await text_backend.start(render)
    await text_backend.start(healthy)
    os.kill(process_id(text_backend, render), signal.SIGSEGV)
    broken = await until(text_backend, render, AttemptFailed)
    assert (broken.failure.code, broken.failure.retryable) == ("RENDERER_CRASHED", True)
    await until(text_backend, healthy, AttemptFinished)


@pytest.mark.parametrize("signal_number", [None, signal.SIGSEGV])
async def test_the_end_of_an_attempt_is_reported_at_once(
    text_backend: TextBackend, make_render: MakeRender, signal_number: signal.Signals | None
) -> None:
    render = launch(make_render(**({} if signal_number is None else ENDLESS)))
    ended = asyncio.Event()
    text_backend.on_change = lambda render_id: ended.set() if render_id == render.id else None
    await text_backend.start(render)
    if signal_number is not None:
        os.kill(process_id(text_backend, render), signal_number)
    await asyncio.wait_for(ended.wait(), TEST_TIMEOUT_S)
    observed = await text_backend.observe(render)
    assert isinstance(observed, AttemptFinished if signal_number is None else AttemptFailed)


async def test_cancelling_kills_the_child_and_removes_its_files(
    text_backend: TextBackend, render: Render, tmp_path: Path
) -> None:
    await text_backend.start(render)
    pid = process_id(text_backend, render)
    await text_backend.stop(render)
    assert not is_alive(pid)
    assert list((tmp_path / "outputs").iterdir()) == []


async def test_cancelling_by_a_worker_that_lost_the_lease_keeps_its_successors_video(
    text_backend: TextBackend, make_render: MakeRender, tmp_path: Path
) -> None:
    await text_backend.start(render := launch(make_render()))
    os.kill(process_id(text_backend, render), signal.SIGSTOP)
    assert list((tmp_path / "outputs").iterdir()) == []  # the child has not even got the job
    async with text_renderer(tmp_path, shared=True) as successor:
        await successor.start(render)
        finished = await until(successor, render, AttemptFinished)
        await text_backend.stop(render)
        assert await successor.has_output(finished.output)
    kept = {path.name for path in (tmp_path / "outputs").iterdir()}
    assert kept == {finished.output.key, finished.output.poster_key}


async def test_the_child_of_a_finished_render_runs_the_next_and_outlives_the_first(
    text_backend: TextBackend, make_render: MakeRender
) -> None:
    first, second = launch(make_render()), launch(make_render())
    await text_backend.start(first)
    await until(text_backend, first, AttemptFinished)
    await text_backend.start(second)
    assert process_id(text_backend, second) == process_id(text_backend, first)
    await text_backend.stop(first)
    await until(text_backend, second, AttemptFinished)


async def test_a_second_start_ends_the_first_child(text_backend: TextBackend, render: Render) -> None:
    await text_backend.start(render)
    first = process_id(text_backend, render)
    await text_backend.start(render)
    assert not is_alive(first)
    assert is_alive(process_id(text_backend, render))


async def test_closing_kills_every_child(tmp_path: Path, render: Render) -> None:
    async with text_renderer(tmp_path) as backend:
        await backend.start(render)
        pid = process_id(backend, render)
    assert not is_alive(pid)
    assert await backend.observe(render) == AttemptMissing()
    assert list((tmp_path / "outputs").iterdir()) == []


async def test_unfinished_files_of_a_dead_process_are_removed_and_videos_kept(tmp_path: Path) -> None:
    outputs = tmp_path / "outputs"
    outputs.mkdir()
    (outputs / "x.part").touch()
    (outputs / "x.poster.part").touch()
    (outputs / "y.mp4").touch()
    async with text_renderer(tmp_path):
        assert [path.name for path in outputs.iterdir()] == ["y.mp4"]


async def test_a_file_that_another_process_renames_does_not_prevent_opening(tmp_path: Path) -> None:
    outputs = tmp_path / "outputs"
    outputs.mkdir()
    (outputs / "finished.part").symlink_to("finished.mp4")  # it is listed, but doesn't exist any more
    async with text_renderer(tmp_path, shared=True):
        pass


async def test_an_unusable_folder_prevents_opening(tmp_path: Path) -> None:
    (tmp_path / "outputs").touch()
    with pytest.raises(StartupError, match="can't be used for videos"):
        async with text_renderer(tmp_path):
            pass


async def test_an_unknown_font_is_a_warning(text_backend: TextBackend, make_render: MakeRender) -> None:
    render = launch(make_render(props=replace(PROPS, font_family="No Such Font", duration_in_frames=1)))
    await text_backend.start(render)
    finished = await until(text_backend, render, AttemptFinished)
    assert len(finished.warnings) == 1
    assert "No Such Font" in finished.warnings[0]


async def test_an_attempt_whose_poster_could_not_be_made_has_none(
    text_backend: TextBackend, make_render: MakeRender, tmp_path: Path
) -> None:
    """A folder with the poster's name prevents it."""
    render = launch(make_render(props=replace(PROPS, duration_in_frames=1)))
    (tmp_path / "outputs" / f"{render.id}.jpg").mkdir()
    await text_backend.start(render)
    finished = await until(text_backend, render, AttemptFinished)
    assert finished.output.poster_key is None
    assert text_backend.sign_poster(finished.output, expires_in=timedelta(hours=1)) is None
    assert await text_backend.has_output(finished.output)
    assert list((tmp_path / "outputs").glob("*.part")) == []


async def test_progress_comes_from_frames_and_only_grows(text_backend: TextBackend, render: Render) -> None:
    await text_backend.start(render)
    seen: list[int] = []
    async with asyncio.timeout(END_TIMEOUT_S):
        while len(set(seen)) < 5:
            observation = await text_backend.observe(render)
            assert isinstance(observation, AttemptProgress)
            seen.append(observation.frames_rendered)
            await asyncio.sleep(0.005)
    assert seen == sorted(seen)
    assert seen[0] == 0


@pytest.mark.parametrize("name", sorted(TEXT_FORMATS))
async def test_an_output_of_each_format_is_stored_found_and_deleted(
    text_backend: TextBackend, make_render: MakeRender, tmp_path: Path, name: OutputFormat
) -> None:
    row = FORMATS[name]
    is_still = row.kind is OutputKind.STILL
    options = OutputOptions(format=name, width=64, height=36, scale=2, frame=-1 if is_still else None)
    render = launch(make_render(props=replace(PROPS, font_size=12.0, duration_in_frames=6), output_options=options))
    await text_backend.start(render)
    finished = await until(text_backend, render, AttemptFinished)
    assert finished.output.key == f"{render.id}.{row.extension}"
    assert finished.output.poster_key == (None if is_still else f"{render.id}.jpg")
    assert finished.media == Media(frames=1 if is_still else 6, fps=30, width=128, height=72)
    await text_backend.abandon(render)
    assert await text_backend.observe(render) == finished
    assert await text_backend.stop(render) == finished
    await text_backend.delete(render)
    assert list((tmp_path / "outputs").iterdir()) == []


async def test_the_site_has_one_composition_with_all_formats(text_backend: TextBackend) -> None:
    (composition,) = await text_backend.compositions()
    assert (composition.id, composition.width, composition.height) == (TEXT_ANIMATION, 320, 180)
    assert frozenset(composition.outputs) == text_backend.formats == TEXT_FORMATS


async def test_the_version_of_the_site_changes_with_the_size(text_backend: TextBackend, tmp_path: Path) -> None:
    versions = set()
    for width in (320, 640, 320):
        async with text_renderer(tmp_path, width=width, shared=True) as other:
            assert other.site == text_backend.site
            versions.add(await other.site_version())
    assert len(versions) == 2
    assert await text_backend.site_version() in versions


async def test_a_render_without_an_animation_is_not_started(text_backend: TextBackend, make_render: MakeRender) -> None:
    render = launch(make_render(props=None, composition_id="Promo", input_props="{}"))
    with pytest.raises(StartImpossible) as rejected:
        await text_backend.start(render)
    assert (rejected.value.failure.code, rejected.value.failure.retryable) == ("COMPOSITION_NOT_FOUND", False)
    assert await text_backend.observe(render) == AttemptMissing()
    assert text_backend.time_limit(render) > timedelta(seconds=60)


async def test_progress_counts_the_frames_of_the_output(text_backend: TextBackend, make_render: MakeRender) -> None:
    options = OutputOptions(fps=60, bitrate_kbps=500)
    render = launch(make_render(**{**ENDLESS, "output_options": options}))
    await text_backend.start(render)
    async with asyncio.timeout(END_TIMEOUT_S):
        while isinstance(progress := await text_backend.observe(render), AttemptProgress):
            assert progress.fraction == progress.frames_rendered / (2 * ENDLESS_FRAMES)
            if progress.frames_rendered > 1:
                break
            await asyncio.sleep(0.01)
    assert isinstance(progress, AttemptProgress)
