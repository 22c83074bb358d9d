"""An aborted test run leaves no processes behind."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from services.settings import CHECKOUT
from tests.support.api_client import TEST_TIMEOUT_S

RUN = """
import subprocess, sys, time
from tests.support import leftovers

leftovers.kill_at_end()
started = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print(started.pid, flush=True)
time.sleep(600)
"""


def runs(process_id: int) -> bool:
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
def test_processes_of_a_killed_test_run_are_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", RUN], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        process_id = int(run.stdout.readline())
        assert runs(process_id)
        run.kill()
    until = time.monotonic() + TEST_TIMEOUT_S
    while runs(process_id):
        assert time.monotonic() < until
        time.sleep(0.01)
