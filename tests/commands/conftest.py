"""Fixtures: `rendercast` as a process, and a server for it."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.conftest import servers, site, start
from tests.end_to_end.processes import Rendercast, assert_no_traceback, quiet_window_s
from tests.end_to_end.slow import SlowRenderers
from tests.support.api_client import TEST_TIMEOUT_S
from tests.support.forked import ForkedProcess, run_forked

__all__ = ["servers", "site", "start"]

ENDLESS = 100_000  # frames: with slow renderers half an hour
SMALL: dict[str, object] = {"text_width": 320, "text_height": 180, "max_duration_s": 3600}

Run = Callable[..., subprocess.CompletedProcess[bytes]]
Spawn = Callable[..., ForkedProcess]


def environment(url: str, **more: str) -> dict[str, str]:
    """Return the environment of a client command for this server."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RENDERCAST_")}
    return {**inherited, "RENDERCAST_URL": url, "COLUMNS": "200", **more}


def objects(output: bytes) -> list[dict[str, Any]]:
    """Return the JSON objects in the output, one a line."""
    return [json.loads(line) for line in output.splitlines()]


@pytest.fixture(scope="module")
def renderers(tmp_path_factory: pytest.TempPathFactory) -> SlowRenderers:
    """The renderers of all servers of a module."""
    return SlowRenderers(tmp_path_factory.mktemp("renderers"))


@pytest.fixture
def slow_renderers(renderers: SlowRenderers) -> Iterator[SlowRenderers]:
    renderers.slow_down()
    yield renderers
    renderers.speed_up()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, renderers: SlowRenderers) -> Iterator[Rendercast]:
    """A server for all tests of a module."""
    settings = {**SMALL, **renderers.settings, "quota_limit": 1000, "quota_window_s": quiet_window_s()}
    running = Rendercast(tmp_path_factory.mktemp("server"), **settings)
    yield running
    running.close()
    assert_no_traceback(running.log)


@pytest.fixture
def run(server: Rendercast, tmp_path: Path) -> Run:
    """Run the command in an empty folder and return its result."""

    def run(*arguments: str, url: str = server.url, text: str = "", **more: str) -> subprocess.CompletedProcess[bytes]:
        return run_forked(arguments, cwd=tmp_path, env=environment(url, **more), text=text)

    return run


@pytest.fixture
def spawn(server: Rendercast, tmp_path: Path) -> Iterator[Spawn]:
    """Start the command in an empty folder. It is killed at the end of the test."""
    started: list[ForkedProcess] = []

    def spawn(*arguments: str, url: str = server.url) -> ForkedProcess:
        process = ForkedProcess(arguments, cwd=tmp_path, env=environment(url))
        started.append(process)
        return process

    yield spawn
    for process in started:
        process.kill()
        process.communicate(TEST_TIMEOUT_S)
