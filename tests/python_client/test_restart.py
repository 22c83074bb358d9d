"""A server that is killed while it renders, and restarted, seen by both Python clients over each transport."""

import asyncio
import signal
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import av
import pytest
from rendercast.client import AsyncClient, Client, Render
from rendercast.client.watching import Transport

from tests.commands.conftest import SMALL
from tests.end_to_end.processes import dev_servers
from tests.end_to_end.slow import SlowRenderers
from tests.python_client.examples import examples, run_example
from tests.support.api_client import TEST_TIMEOUT_S

pytestmark = pytest.mark.slow

FRAMES = 600  # ten seconds or more with slow renderers
TRANSPORTS: Sequence[Transport] = ("websocket", "sse", "polling")


class Watcher:
    """The states that a client has received of a render."""

    def __init__(self) -> None:
        self.states: list[Render] = []
        self.is_rendering = asyncio.Event()

    async def follow(self, states: AsyncGenerator[Render, None]) -> None:
        async for state in states:
            self.add(state)

    def add(self, state: Render) -> None:
        self.states.append(state)
        if state.status == "RENDERING":
            self.is_rendering.set()

    def check(self) -> None:
        """Check that the states are in order, without repetitions, and that the last one is the end."""
        revisions = [state.revision for state in self.states]
        assert revisions == sorted(set(revisions))
        assert [state.has_ended for state in self.states] == [False] * (len(revisions) - 1) + [True]
        assert (self.states[-1].status, self.states[-1].attempt) == ("COMPLETE", 2)


async def test_every_transport_reports_the_end_after_the_server_was_killed_and_restarted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    renderers = SlowRenderers(tmp_path)
    renderers.slow_down()
    watchers = [Watcher() for _ in (*TRANSPORTS, "blocking")]
    loop = asyncio.get_running_loop()

    def block(client: Client, render_id: str) -> None:
        for state in client.watch(render_id):
            loop.call_soon_threadsafe(watchers[-1].add, state)

    with dev_servers(tmp_path, **SMALL, **renderers.settings) as start:
        first = start()
        clients = [AsyncClient(first.url, transports=[transport]) for transport in TRANSPORTS]
        with Client(first.url) as blocking:
            render = await clients[0].start(text="Hello", animation={"durationInFrames": FRAMES})
            async with asyncio.timeout(TEST_TIMEOUT_S), asyncio.TaskGroup() as group:
                for watcher, client in zip(watchers, clients, strict=False):
                    group.create_task(watcher.follow(client.watch(render.id)))
                group.create_task(asyncio.to_thread(block, blocking, render.id))
                for watcher in watchers:
                    await watcher.is_rendering.wait()
                first.end(signal.SIGKILL)
                second = group.create_task(clients[0].start(text="Second", animation={"durationInFrames": 1}))
                await asyncio.sleep(0)
                renderers.speed_up()
                await asyncio.to_thread(start, first)
        assert {each.id async for each in clients[0].list(first=None)} == {render.id, second.result().id}
        saved = await clients[0].download(render.id, tmp_path)
        monkeypatch.chdir(tmp_path)
        for example in examples(waiting=True):
            await asyncio.to_thread(run_example, example, first.url)
            (tmp_path / "hello.mp4").unlink()
        for client in clients:
            await client.close()
    for watcher in watchers:
        watcher.check()
    with av.open(str(saved)) as video:
        assert video.streams.video[0].frames == FRAMES
