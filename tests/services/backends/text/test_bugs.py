"""An unexpected exception while an attempt of the text renderer is read or stored ends this attempt."""

from pathlib import Path

import pytest

from services.backends.text.backend import open_text_backend
from services.models import Render
from services.ports import AttemptFailed
from tests.conftest import MakeRender
from tests.services.backends.test_backend_contract import SHORT, until
from tests.services.backends.text.test_backend import is_alive, launch, process_id
from tests.support.broken_storage import broken_storage
from tests.support.fake_clock import FakeClock

pytestmark = pytest.mark.slow  # each render is a process


@pytest.fixture
def render(make_render: MakeRender) -> Render:
    return launch(make_render(props=SHORT))


async def test_a_bug_fails_the_attempt_and_is_logged(
    tmp_path: Path, clock: FakeClock, render: Render, caplog: pytest.LogCaptureFixture
) -> None:
    storage = broken_storage(tmp_path, clock=clock)
    async with open_text_backend(storage, width=64, height=64, clock=clock) as backend:
        await backend.start(render)
        pid = process_id(backend, render)
        failure = (await until(backend, render, AttemptFailed)).failure
        assert not is_alive(pid)
        assert list(storage.folder.iterdir()) == []
    (record,) = [each for each in caplog.records if each.levelname == "ERROR"]
    assert (failure.code, failure.retryable) == ("INTERNAL", True)
    assert str(record.__dict__["error_id"]) in failure.message
    assert render.id in record.getMessage()
    assert "KeyError: 'a bug'" in caplog.text
