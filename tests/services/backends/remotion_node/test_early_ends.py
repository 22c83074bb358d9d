"""Nothing is left of a render that ends early: no FFmpeg and no file.

The tests suspend FFmpeg, so that it never ends by itself, and nothing but a kill ends the process.
"""

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
import pytest_asyncio

from services.backends.remotion_node.backend import NodeBackend
from services.backends.remotion_node.host import Host
from services.media import OutputFormat, OutputOptions
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


def ffmpeg_of(node: NodeBackend) -> list[int]:
    """Return the FFmpeg processes of the node."""
    children = descendants(host_of(node).process.pid)
    return [each for each in children if Path(os.fsdecode(arguments_of(each).split(b"\0")[0])).name == "ffmpeg"]


def suspend(process_id: int) -> bool:
    """Suspend a process, and return False if it has ended before."""
    with contextlib.suppress(OSError):
        os.kill(process_id, signal.SIGSTOP)
        return "State:\tT" in Path(f"/proc/{process_id}/status").read_text()
    return False


async def start_suspended(node: NodeBackend, render: Render) -> int | None:
    """Start a render, and return the id of one of its FFmpeg processes, which is suspended; None if all have ended."""
    others = set(ffmpeg_of(node)) if node._hosts._shared else set()
    await node.start(render)
    while isinstance(await node.observe(render), AttemptProgress):
        for process_id in set(ffmpeg_of(node)) - others:
            if suspend(process_id):
                return process_id
        await asyncio.sleep(0.001)
    return None


async def until_drawn(node: NodeBackend, render: Render) -> None:
    """Wait until all frames are drawn, and the video is encoded."""
    while True:
        state = await node.observe(render)
        assert isinstance(state, AttemptProgress)
        if state.phase is RenderPhase.ENCODING:
            return
        await asyncio.sleep(0.02)


@pytest.mark.asyncio(loop_scope="module")
async def test_ffmpeg_is_killed_when_its_render_is_cancelled(node: NodeBackend, launched: Launched, gate: Gate) -> None:
    cancelled, healthy = (launched("Fault", input_props=json.dumps({"kind": "fetch", "url": gate.url})) for _ in "ab")
    killed = await start_suspended(node, cancelled)
    other = await start_suspended(node, healthy)
    assert other is not None
    gate.open()
    await until_drawn(node, cancelled)
    host = host_of(node)
    await node.abandon(cancelled)
    await wait_until(lambda: ffmpeg_of(node) == [other])
    assert killed != other
    os.kill(other, signal.SIGCONT)
    await until(node, healthy, AttemptFinished)
    assert not list(node.storage.work_folder.glob("*.part"))
    assert host_of(node) is host
    assert host.accepts_jobs


@pytest.mark.asyncio(loop_scope="module")
async def test_ffmpeg_is_killed_when_a_page_fails_while_it_encodes(
    node: NodeBackend, launched: Launched, gate: Gate
) -> None:
    render = launched("Fault", input_props=json.dumps({"kind": "late", "url": gate.url}))
    await start_suspended(node, render)
    gate.open()
    failed = await until(node, render, AttemptFailed)
    assert "A closing page failed." in str(failed.failure.detail)
    await wait_until(lambda: not ffmpeg_of(node))
    await node.abandon(render)
    assert not list(node.storage.work_folder.glob("*.part"))


@pytest.mark.asyncio(loop_scope="module")
async def test_the_audio_tracks_of_a_cancelled_render_are_removed(node: NodeBackend, launched: Launched) -> None:
    """Remotion removes them only at the end of the last FFmpeg. The first ones convert tracks."""
    tracks: list[Path] = []
    while not tracks:  # else FFmpeg has ended before it was suspended
        render = launched("Assets", output_options=OutputOptions(format=OutputFormat.MP3))
        await start_suspended(node, render)
        tracks = list(host_of(node).folder.glob("remotion-*"))
        await node.abandon(render)
    await wait_until(lambda: not ffmpeg_of(node))
    await wait_until(lambda: not list(host_of(node).folder.glob("remotion-*")))


@pytest.mark.asyncio(loop_scope="module")
async def test_the_folder_of_a_still_that_is_cancelled_at_its_start_is_removed(
    node: NodeBackend, launched: Launched, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[object] = []
    send = Host.send

    def recording(host: Host, message: Mapping[str, object]) -> None:
        sent.append(message["type"])
        send(host, message)

    monkeypatch.setattr(Host, "send", recording)
    still = OutputOptions(format=OutputFormat.PNG)
    cancelled, later = launched("Colors", output_options=still), launched("Colors", output_options=still)
    await node.start(cancelled)
    while "render" not in sent:
        await node.observe(cancelled)
        await asyncio.sleep(0)
    await node.abandon(cancelled)
    await node.start(later)
    await until(node, later, AttemptFinished)
    assert not list(node.storage.work_folder.glob("*.part"))


SCRIPT = """
import(process.argv[1]).then(async ({ killChildren, killFfmpeg, watchChildren }) => {
  const childProcess = require("node:child_process");
  let job = null;
  const onFfmpeg = ({ ended }) => { if (ended) throw new Error("ended"); };
  watchChildren({ currentJob: () => job, onBrowser() {}, onFfmpeg });
  const start = (name, owner) => { job = owner; return childProcess.spawn(`${process.argv[2]}/${name}`, ["60"]); };
  const ended = (child) => new Promise((resolve) => child.on("exit", (_, signal) => resolve(signal)));
  const [cancelled, other] = [{}, {}];
  const killed = start("ffmpeg", cancelled);
  const running = [start("ffmpeg", other), start("compositor", cancelled), start("ffmpeg", null)];
  const signals = [];
  running.map((child) => child.on("exit", (_, signal) => signals.push(signal)));
  killFfmpeg(cancelled);
  const printed = [await ended(killed), [...signals]];
  try { start("ffmpeg", { ended: true }); } catch (error) { printed.push(error.message); }
  console.log(JSON.stringify(printed));
  killChildren();
});
"""


def test_only_the_jobs_own_ffmpeg_is_killed_and_none_is_started_after_its_end(tmp_path: Path) -> None:
    for name in ("ffmpeg", "compositor"):
        (tmp_path / name).symlink_to("/bin/sleep")
    printed = run([NODE, "--eval", SCRIPT, str(MODULE), str(tmp_path)], cwd=CHECKOUT)
    assert json.loads(printed) == ["SIGKILL", [], "ended"]
