"""The end of a host, with another process in place of Node."""

import asyncio
import sys
from pathlib import Path, PosixPath

import pytest

from services.backends.remotion_node.host import Host, HostLimits
from services.backends.remotion_node.jobs import HostLost
from services.clock import RunningTime
from tests.support.api_client import TEST_TIMEOUT_S
from tests.support.fake_clock import FakeClock

pytestmark = pytest.mark.slow  # a process


class BrokenPath(PosixPath):
    """A folder with a bug."""

    def __str__(self) -> str:
        raise RuntimeError("a bug")


async def new_host(folder: Path, clock: FakeClock) -> Host:
    """Start a process that ends with its standard input."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", "input()", stdin=pipe, stdout=pipe)
    host = Host(process, folder, limits=HostLimits(memory_bytes=1 << 40), running_time=RunningTime(clock))
    host.run()
    return host


async def test_jobs_end_with_the_host_even_if_a_bug_prevents_the_cleanup(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    host = await new_host(BrokenPath("x"), clock)
    job = host.new_job("0")
    host.process.kill()
    async with asyncio.timeout(TEST_TIMEOUT_S):
        with pytest.raises(HostLost):
            await job.receive()
        await host.close()
    assert host.is_removed
    assert "RuntimeError: a bug" in caplog.text
