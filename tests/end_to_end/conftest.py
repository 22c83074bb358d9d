"""Processes that end with the test, whatever becomes of it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.end_to_end.processes import Rendercast, quiet_window_s

Start = Callable[..., Rendercast]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start `rendercast dev`; each one of a test on the same data. None may have logged a traceback at the end."""
    started: list[Rendercast] = []
    window_s = quiet_window_s()

    def start(**settings: object) -> Rendercast:
        rendercast = Rendercast(tmp_path, **{"quota_window_s": window_s, **settings})
        started.append(rendercast)
        return rendercast

    yield start
    for rendercast in started:
        rendercast.close()
    assert all("Traceback" not in rendercast.log for rendercast in started), started[0].log
