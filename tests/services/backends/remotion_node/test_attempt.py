"""An attempt whose host is a list of messages: what ends it, other than errors of the composition."""

import asyncio
import errno
import os
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from services.backends.previews.publisher import PreviewPublisher
from services.backends.remotion_node.attempt import Attempt, RenderSettings
from services.backends.remotion_node.host_messages import CompositionMessage, DoneMessage, JobMessage
from services.backends.remotion_node.jobs import Job
from services.backends.remotion_node.previews import Previews
from services.backends.remotion_options import Capture
from services.media import Media, OutputFormat, OutputOptions
from services.models import Failure, Render, replace
from services.ports import AttemptFailed, AttemptProgress
from services.renders import lifecycle
from services.storage.folder_storage import FolderStorage, open_folder_storage
from tests.conftest import MakeRender
from tests.support.api_client import TEST_TIMEOUT_S
from tests.support.broken_storage import broken_storage
from tests.support.fake_clock import FakeClock

SETTINGS = RenderSettings(
    capture=Capture(image_format="png", color_space="bt709"), license_key=None, cpu_second_usd=0.0
)
SIZE = Media(frames=1, fps=30, width=64, height=64)
COMPOSITION = CompositionMessage.model_validate(
    {"type": "composition", "job": "0", "width": 64, "height": 64, "fps": 30, "durationInFrames": 1}
)
DONE = DoneMessage(type="done", job="0")


class ScriptedHost:
    """A host that answers each request with the next message, whatever the request is."""

    def __init__(self, *answers: JobMessage, on_request: Callable[[], None] = lambda: None) -> None:
        self.job = Job(self, "0")
        self._answers = list(answers)
        self._on_request = on_request

    def send(self, message: Mapping[str, object]) -> None:
        if message["type"] in {"select", "render"}:
            self._on_request()
            self.job.messages.put_nowait(self._answers.pop(0))

    def link(self, name: str, folder: Path) -> None:
        """Do nothing."""

    def close_job(self, name: str) -> None:
        """Do nothing."""

    def divide_cpu_time(self) -> None:
        """Do nothing."""

    def kill_if_hung(self) -> None:
        """Do nothing."""


@pytest.fixture
def render(make_render: MakeRender) -> Render:
    options = OutputOptions(format=OutputFormat.PNG)
    queued = make_render(composition_id="Still", props=None, input_props="{}", output_options=options, media=SIZE)
    return lifecycle.launch(queued, now=queued.created_at)


async def failure_of(render: Render, host: ScriptedHost, storage: FolderStorage, clock: FakeClock) -> Failure:
    """Run the attempt to its end, which is a failure."""
    previews = Previews(render, host.job, publisher=PreviewPublisher(storage), clock=clock)
    changed = asyncio.Event()
    attempt = Attempt(
        render,
        host.job,
        storage=storage,
        unfinished=storage.folder / f"{render.id}.part",
        clock=clock,
        settings=SETTINGS,
        previews=previews,
        on_change=changed.set,
    )
    attempt.start(serve_url="http://x", resources=AsyncExitStack())
    async with asyncio.timeout(TEST_TIMEOUT_S):
        while isinstance(state := attempt.observe(), AttemptProgress):
            await changed.wait()
            changed.clear()
    await attempt.end()
    assert isinstance(state, AttemptFailed)
    assert list(storage.folder.glob(f"{render.id}*")) == []
    return state.failure


@pytest.mark.parametrize("expected", [SIZE, None])
async def test_a_bug_fails_the_attempt_and_is_logged(
    tmp_path: Path, clock: FakeClock, render: Render, caplog: pytest.LogCaptureFixture, expected: Media | None
) -> None:
    render = replace(render, media=expected)
    host = ScriptedHost(COMPOSITION, DONE)
    failure = await failure_of(render, host, broken_storage(tmp_path, clock=clock), clock)
    (record,) = [each for each in caplog.records if each.levelname == "ERROR"]
    assert (failure.code, failure.retryable) == ("INTERNAL", True)
    assert str(record.__dict__["error_id"]) in failure.message
    assert "KeyError: 'a bug'" in caplog.text


async def test_a_message_that_is_not_the_expected_one_is_a_bug_and_not_a_full_disk(
    tmp_path: Path, clock: FakeClock, render: Render, caplog: pytest.LogCaptureFixture
) -> None:
    storage = open_folder_storage(tmp_path, base_url="http://x", clock=clock, shared=False)
    failure = await failure_of(render, ScriptedHost(DONE), storage, clock)
    assert failure.code == "INTERNAL"
    assert "unexpected message" in caplog.text


@pytest.mark.parametrize(("number", "code"), [(errno.ENOSPC, "RENDERER_OUT_OF_DISK"), (errno.EACCES, "RENDER_FAILED")])
async def test_an_error_of_the_file_system_is_not_always_a_full_disk(
    tmp_path: Path, clock: FakeClock, render: Render, number: int, code: str
) -> None:
    def fail() -> None:
        raise OSError(number, os.strerror(number))

    storage = open_folder_storage(tmp_path, base_url="http://x", clock=clock, shared=False)
    failure = await failure_of(render, ScriptedHost(COMPOSITION, on_request=fail), storage, clock)
    assert (failure.code, failure.retryable) == (code, True)
    assert os.strerror(number) in (failure.detail or "")
