"""The import of the MongoDB driver."""

import os
import subprocess
import sys

import pytest

from services.settings import CHECKOUT

PROGRAM = "from services.runtime.motor_client import motor_client; motor_client()"


@pytest.mark.parametrize("threads", ["many", "0", "-1", "1.5"])
def test_an_invalid_number_of_threads_is_one_sentence(threads: str) -> None:
    environment = {**os.environ, "MOTOR_MAX_WORKERS": threads}
    command = [sys.executable, "-c", PROGRAM]
    ended = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, check=False, text=True)
    expected = f"StartupError: MOTOR_MAX_WORKERS must be a whole number of at least 1, not '{threads}'."
    assert ended.stderr.splitlines()[-1].endswith(expected)
