"""Videos that end while they are encoded: FFmpeg is killed, and nothing is left.

The tests suspend FFmpeg, so that the encoding never ends by itself, and nothing but a kill ends the process.
"""

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from services.backends.remotion_node.backend import NodeBackend
from services.models import Render, RenderPhase
from services.ports import AttemptFailed, AttemptFinished, AttemptProgress
from services.settings import CHECKOUT
from tests.remotion_helper.projects import NODE, run
from tests.services.backends.remotion_node.conftest import Launched
from tests.services.backends.remotion_node.test_processes import host_of
from tests.services.backends.test_backend_contract import until
from tests.support.node_processes import arguments_of, descendants
from tests.support.node_renderer import needs_node
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.slow, needs_node]

MODULE = CHECKOUT / "services" / "backends" / "remotion_node" / "host-processes.mjs"
RESPONSE = b"HTTP/1.1 204 No Content\r\nAccess-Control-Allow-Origin: *\r\nConnection: close\r\n\r\n"


class Gate:
    """A server that responds once it is opened. Compositions wait for it before their first frame."""

    def __init__(self) -> None:
        self.url = ""
        self._is_open = asyncio.Event()

    def open(self) -> None:
        self._is_open.set()

    async def respond(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await reader.readuntil(b"\r\n\r\n")
            await self._is_open.wait()
            writer.write(RESPONSE)
            await writer.drain()
        writer.close()


@pytest.fixture(scope="module")
def node(module_node: NodeBackend) -> NodeBackend:
    return module_node


@pytest_asyncio.fixture(loop_scope="module")
async def gate() -> AsyncIterator[Gate]:
    gate = Gate()
    async with await asyncio.start_server(gate.respond, "127.0.0.1", 0) as server:
        gate.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield gate
        gate.open()


def encoders_of(node: NodeBackend) -> list[int]:
    """Return the FFmpeg processes of the node."""
    children = descendants(host_of(node).process.pid)
    return [each for each in children if Path(os.fsdecode(arguments_of(each).split(b"\0")[0])).name == "ffmpeg"]


async def start_suspended(node: NodeBackend, render: Render) -> int:
    """Start a video, suspend its FFmpeg before the first frame, and return the id of that process."""
    others = set(encoders_of(node)) if node._hosts._shared else set()
    await node.start(render)
    while not (started := set(encoders_of(node)) - others):
        await node.observe(render)  # twice, to accept its size
        await asyncio.sleep(0.01)
    [encoder] = started
    os.kill(encoder, signal.SIGSTOP)
    return encoder


async def until_drawn(node: NodeBackend, render: Render) -> None:
    """Wait until all frames are drawn, and the video is encoded."""
    while True:
        state = await node.observe(render)
        assert isinstance(state, AttemptProgress)
        if state.phase is RenderPhase.ENCODING:
            return
        await asyncio.sleep(0.02)


@pytest.mark.asyncio(loop_scope="module")
async def test_ffmpeg_does_not_outlive_a_cancelled_render(node: NodeBackend, launched: Launched, gate: Gate) -> None:
    cancelled, healthy = (launched("Fault", input_props=json.dumps({"kind": "fetch", "url": gate.url})) for _ in "ab")
    killed = await start_suspended(node, cancelled)
    other = await start_suspended(node, healthy)
    gate.open()
    await until_drawn(node, cancelled)
    host = host_of(node)
    await node.abandon(cancelled)
    await wait_until(lambda: encoders_of(node) == [other])
    assert killed != other
    os.kill(other, signal.SIGCONT)
    await until(node, healthy, AttemptFinished)
    assert not list(node.storage.work_folder.glob("*.part"))
    assert host_of(node) is host
    assert host.accepts_jobs


@pytest.mark.asyncio(loop_scope="module")
async def test_ffmpeg_does_not_outlive_a_composition_that_fails(
    node: NodeBackend, launched: Launched, gate: Gate
) -> None:
    render = launched("Fault", input_props=json.dumps({"kind": "late", "url": gate.url}))
    await start_suspended(node, render)
    gate.open()
    failed = await until(node, render, AttemptFailed)
    assert "A closing page failed." in str(failed.failure.detail)
    await wait_until(lambda: not encoders_of(node))
    await node.abandon(render)
    assert not list(node.storage.work_folder.glob("*.part"))


SCRIPT = """
import(process.argv[1]).then(async ({ killChildren, killEncoders, watchChildren }) => {
  const childProcess = require("node:child_process");
  let job = null;
  const onEncoder = ({ ended }) => { if (ended) throw new Error("ended"); };
  watchChildren({ currentJob: () => job, onBrowser() {}, onEncoder });
  const start = (name, owner) => { job = owner; return childProcess.spawn(`${process.argv[2]}/${name}`, ["60"]); };
  const ended = (child) => new Promise((resolve) => child.on("exit", (_, signal) => resolve(signal)));
  const [cancelled, other] = [{}, {}];
  const killed = start("ffmpeg", cancelled);
  const running = [start("ffmpeg", other), start("compositor", cancelled), start("ffmpeg", null)];
  const signals = [];
  running.map((child) => child.on("exit", (_, signal) => signals.push(signal)));
  killEncoders(cancelled);
  const printed = [await ended(killed), [...signals]];
  try { start("ffmpeg", { ended: true }); } catch (error) { printed.push(error.message); }
  console.log(JSON.stringify(printed));
  killChildren();
});
"""


def test_only_the_encoders_of_a_job_are_killed_and_none_is_started_after_its_end(tmp_path: Path) -> None:
    for name in ("ffmpeg", "compositor"):
        (tmp_path / name).symlink_to("/bin/sleep")
    printed = run([NODE, "--eval", SCRIPT, str(MODULE), str(tmp_path)], cwd=CHECKOUT)
    assert json.loads(printed) == ["SIGKILL", [], "ended"]
