"""A forked command behaves as an executed one."""

import importlib
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.end_to_end.processes import COMMAND, Rendercast, spawn_program
from tests.support import tokens
from tests.support.api_client import TEST_TIMEOUT_S
from tests.support.forked import can_fork, run_forked

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("arguments", "more"),
    [
        (["--version"], {}),
        (["no-such-command"], {}),
        (["token", "ann"], {}),  # without a secret: a `StartupError`
        (["render", "-", "--no-wait", "--style", "x"], {"RENDERCAST_URL": "http://127.0.0.1:9"}),
    ],
)
def test_the_output_and_the_exit_code_are_the_same(tmp_path: Path, arguments: list[str], more: dict[str, str]) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RENDERCAST_")} | more
    executed = subprocess.run(
        [COMMAND, *arguments], cwd=tmp_path, env=environment, input=b"Hello", capture_output=True, check=False
    )
    forked = run_forked(arguments, cwd=tmp_path, env=environment, text="Hello")
    assert (forked.returncode, forked.stdout, forked.stderr) == (executed.returncode, executed.stdout, executed.stderr)


def test_settings_of_one_process_are_not_those_of_the_next(tmp_path: Path) -> None:
    codes = []
    for settings in ({"jwt_secret": tokens.SECRET}, {}):
        process = spawn_program(tmp_path, [COMMAND, "token", "ann"], settings)
        process.communicate(timeout=TEST_TIMEOUT_S)
        codes.append(process.returncode)
    assert codes == [0, 1]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGKILL, -signal.SIGKILL)])
def test_a_signal_ends_a_server(tmp_path: Path, number: signal.Signals, code: int) -> None:
    server = Rendercast(tmp_path)
    assert os.getpgid(server.process.pid) == server.process.pid
    assert server.end(number) == code


def test_the_modules_of_the_fork_server_exist() -> None:
    importlib.import_module("tests.support.preloaded")  # the fork server ignores an `ImportError`


def test_variables_that_act_on_import_prevent_a_fork() -> None:
    assert can_fork([COMMAND, "dev"], {"RENDERCAST_PORT": "0", "PYTHONPATH": "x", "OTEL_SERVICE_NAME": "x"})
    for name in ("PYTHONPROFILEIMPORTTIME", "LD_PRELOAD", "OTEL_PYTHON_CONTEXT"):
        assert not can_fork([COMMAND, "dev"], {name: "x"})
