"""Hosts and browsers that are killed, and what is left of them: nothing."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from services.backends.remotion_node.attempt import MAX_LOST_HOSTS
from services.backends.remotion_node.backend import NodeBackend
from services.backends.remotion_node.browsers import REMEDY, Browser
from services.backends.remotion_node.host import Host, HostLimits
from services.backends.remotion_node.temporary import remove_with_users
from services.errors import StartupError
from services.media import Media
from services.models import Render, replace
from services.ports import AttemptFailed, AttemptFinished, AttemptMissing, AttemptProgress
from services.settings import CHECKOUT
from tests.services.backends.remotion_node.conftest import Launched
from tests.services.backends.test_backend_contract import until
from tests.support.fake_clock import FakeClock
from tests.support.node_processes import browsers_of, users_of
from tests.support.node_renderer import needs_node, node_backend

pytestmark = [pytest.mark.slow, needs_node]


WAIT_S = 90
WORKER = """
import asyncio, pathlib, sys
from tests.conftest import PROPS
from tests.support.node_renderer import node_backend
from services.models import Render
from services.clock import SystemClock

async def main():
    async with node_backend(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])) as node:
        name, props, frames = sys.argv[3:]
        render = Render(id="r", owner="a", created_at=SystemClock().now(), composition_id=name, input_props=props)
        await node.start(render)
        outputs = pathlib.Path(sys.argv[2]) / "outputs"
        while (await node.observe(render)).frames_rendered < int(frames) or not list(outputs.iterdir()):
            await asyncio.sleep(0.05)
        print(node._hosts._shared.folder, flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


def host_of(node: NodeBackend) -> Host:
    host = node._hosts._shared
    assert host is not None
    return host


def kill_host(host: Host) -> None:
    host.process.kill()


def kill_browser(host: Host) -> None:
    for pid in browsers_of(host.folder):
        os.kill(pid, signal.SIGKILL)


async def draw(node: NodeBackend, render: Render) -> None:
    """Start a render and wait until frames are drawn."""
    await node.start(render)
    while True:
        state = await node.observe(render)
        assert isinstance(state, AttemptProgress)
        if state.frames_rendered >= 3:
            return
        await asyncio.sleep(0.05)


async def until_empty(folder: Path) -> None:
    """Wait until the last preview is deleted and nothing else is left."""
    async with asyncio.timeout(WAIT_S):
        while os.listdir(folder):  # noqa: ASYNC110, PTH208  # a task deletes it
            await asyncio.sleep(0.02)


def until_true(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize("kill", [kill_host, kill_browser])
async def test_after_a_kill_renders_are_missing_and_nothing_is_left(
    node: NodeBackend, launched: Launched, kill: Callable[[Host], None]
) -> None:
    renders = [launched("Slow"), launched("Slow")]
    for render in renders:
        await draw(node, render)
    host = host_of(node)
    kill(host)
    for render in renders:
        await until(node, render, AttemptMissing)
        await node.abandon(render)
    assert not users_of(host.folder)
    assert not host.folder.exists()
    await until_empty(node.storage.work_folder)
    again = launched("Colors")
    await node.start(again)
    await until(node, again, AttemptFinished)


async def test_a_render_whose_hosts_end_repeatedly_fails_alone(node: NodeBackend, launched: Launched) -> None:
    healthy = launched("Slow")
    await draw(node, healthy)
    broken = replace(launched("Slow"), interruptions=MAX_LOST_HOSTS)
    await draw(node, broken)
    [alone] = [host for host in node._hosts._started if host is not host_of(node)]
    kill_host(alone)
    failed = await until(node, broken, AttemptFailed)
    assert (failed.failure.code, failed.failure.retryable) == ("RENDERER_CRASHED", True)
    assert isinstance(await node.observe(healthy), AttemptProgress)


async def test_a_node_that_does_not_start_prevents_the_start(node_bundle: Path, tmp_path: Path) -> None:
    async with node_backend(node_bundle, tmp_path, node=tmp_path / "no-node") as node:
        reason = r"/.*/no-node can't be run in /.*: No such file or directory"
        with pytest.raises(StartupError, match=rf"^The renderer process does not start: {reason}\.$"):
            await node.warm_up()


async def test_a_browser_that_does_not_start_prevents_the_start(node_bundle: Path, tmp_path: Path) -> None:
    browser = Browser(path=Path("/bin/false"), mode="headless-shell")
    async with node_backend(node_bundle, tmp_path, browser=browser) as node:
        with pytest.raises(StartupError) as error:
            await node.warm_up()
    start, end = "The browser /bin/false does not start: Failed to launch the browser process", f". {REMEDY}"
    message = str(error.value)
    assert (message[: len(start)], message[-len(end) :]) == (start, end)
    assert not re.search(r"\n|\bat /", message)


async def test_cancelling_a_long_render_ends_it_and_keeps_the_host(node: NodeBackend, launched: Launched) -> None:
    render = launched("Slow")
    await draw(node, render)
    host = host_of(node)
    assert await node.stop(render) is None
    await node.abandon(render)
    await until_empty(node.storage.work_folder)
    again = launched("Colors")
    await node.start(again)
    await until(node, again, AttemptFinished)
    assert host_of(node) is host


async def test_the_size_is_reported_before_frames_are_drawn(node: NodeBackend, launched: Launched) -> None:
    render = launched("Slow")
    await node.start(render)
    while True:
        state = await node.observe(render)
        assert isinstance(state, AttemptProgress)
        if state.media is not None:
            break
        await asyncio.sleep(0.02)
    assert (state.media, state.frames_rendered) == (Media(frames=3000, fps=30, width=160, height=90), 0)
    await asyncio.sleep(1)
    assert node._attempts[render.id].state == state  # it waits for the next poll


async def test_progress_is_reported_while_frames_are_drawn(node: NodeBackend, launched: Launched) -> None:
    await draw(node, render := launched("Slow"))
    seen: set[int] = set()
    async with asyncio.timeout(WAIT_S):
        while len(seen) < 8:
            state = await node.observe(render)
            assert isinstance(state, AttemptProgress)
            seen.add(state.frames_rendered)
            await asyncio.sleep(0.02)


async def test_a_host_is_replaced_after_its_last_job(node_bundle: Path, tmp_path: Path, launched: Launched) -> None:
    limits = HostLimits(memory_bytes=2**40, max_jobs=1)
    async with node_backend(node_bundle, tmp_path, limits=limits) as node:
        first, second = launched("Colors"), launched("Colors")
        await node.start(first)
        host = host_of(node)
        await node.start(second)
        assert host_of(node) is not host
        for render in (first, second):
            await until(node, render, AttemptFinished)
        await asyncio.wait_for(host.process.wait(), WAIT_S)


async def test_a_host_above_twice_its_memory_limit_is_killed(
    node_bundle: Path, tmp_path: Path, launched: Launched
) -> None:
    async with node_backend(node_bundle, tmp_path, limits=HostLimits(memory_bytes=2**20)) as node:
        render = launched("Slow")
        await node.start(render)
        failed = await until(node, render, AttemptFailed)
    assert (failed.failure.code, failed.failure.retryable) == ("RENDERER_OUT_OF_MEMORY", True)


async def test_a_composition_that_allocates_4_gb_fails_alone(
    node_bundle: Path, tmp_path: Path, launched: Launched
) -> None:
    async with node_backend(node_bundle, tmp_path, limits=HostLimits(memory_bytes=600 * 2**20)) as node:
        await draw(node, healthy := launched("Slow"))
        interrupted = replace(launched("Fault", input_props='{"kind": "buffers", "url": ""}'), interruptions=1)
        await node.start(interrupted)
        failed = await until(node, interrupted, AttemptFailed)
        assert failed.failure.code == "RENDERER_OUT_OF_MEMORY"
        assert isinstance(await node.observe(healthy), AttemptProgress)


async def test_a_host_that_hangs_is_killed(
    node_bundle: Path, tmp_path: Path, launched: Launched, clock: FakeClock
) -> None:
    async with node_backend(node_bundle, tmp_path, clock=clock) as node:
        render = launched("Slow")
        await draw(node, render)
        host_of(node).process.send_signal(signal.SIGSTOP)
        for _ in range(8):
            await clock.advance(5)
            await node.observe(render)
        await until(node, render, AttemptMissing)


async def test_nothing_is_left_of_a_host_that_is_killed_before_it_reads_a_request(
    node: NodeBackend, launched: Launched
) -> None:
    await draw(node, launched("Slow"))
    host = host_of(node)
    host.process.send_signal(signal.SIGSTOP)
    await node.start(launched("Slow"))
    while len(list(node.storage.work_folder.glob("*.part"))) < 2:  # noqa: ASYNC110  # in another task
        await asyncio.sleep(0)
    remove_with_users(host.folder)  # as another worker does if this process was killed too
    assert list(node.storage.work_folder.glob("*.part")) == []


@pytest.mark.parametrize(
    ("composition", "props", "frames"), [("Slow", "{}", 5), ("Fault", '{"kind": "metadata-loop", "url": ""}', 0)]
)
def test_nothing_is_left_of_a_worker_that_is_killed(
    node_bundle: Path, tmp_path: Path, composition: str, props: str, frames: int
) -> None:
    command = [sys.executable, "-c", WORKER, str(node_bundle), str(tmp_path), composition, props, str(frames)]
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        folder = Path(worker.stdout.readline().decode().strip())
        assert len(users_of(folder)) >= 2
        worker.kill()
    until_true(lambda: not users_of(folder) and not folder.exists())
    assert not list((tmp_path / "outputs").glob("*.part"))
