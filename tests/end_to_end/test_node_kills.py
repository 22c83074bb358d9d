"""Workers of the renderer `node`, their Node processes and browsers, killed at random moments of their renders.

Each render ends as COMPLETE and uses one unit of quota, and nothing is left. `NODE_KILLS=50 NODE_KILL_RENDERS=30` is
the complete run, which takes some minutes; `NODE_KILL_SEED` chooses other moments.
"""

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.browser.visitors import CHROMIUM
from tests.end_to_end.processes import Running
from tests.end_to_end.production import RENDERED_TIMEOUT_S, Site, open_client
from tests.remotion_helper.projects import PROJECT
from tests.support.api_client import TEST_TIMEOUT_S, Client, pauses
from tests.support.node_processes import arguments_of, descendants, is_browser, is_host, users_of
from tests.support.node_renderer import needs_node

KILLS = int(os.environ.get("NODE_KILLS", "3"))
RENDERS = int(os.environ.get("NODE_KILL_RENDERS", "3"))
SEED = int(os.environ.get("NODE_KILL_SEED", "1"))
WORKERS = 2
FRAMES = 90  # 2 s or more
MAX_DELAY_S = 2.0  # of a kill, after a render has been leased
MAX_UNFINISHED = 4  # renders at once: each worker has one, and others wait

pytestmark = needs_node


class Machines:
    """Workers that are started again whenever they are killed, with one folder for temporary files."""

    def __init__(self, site: Site, folder: Path, bundle: Path) -> None:
        self.temporary = folder / "temporary"
        self.temporary.mkdir()
        self._site = site
        self._settings = {
            "remotion_browser": CHROMIUM,
            "remotion_project": PROJECT,
            "remotion_site": bundle,
            "renderer": "node",
            "worker_capacity": 1,
            "TMPDIR": self.temporary,
        }
        self._workers = self._start(WORKERS)

    def busy(self) -> list[Running]:
        """Return the workers that have leased a render."""
        return [worker for worker in self._workers if self._site.leased_to(worker)]

    def kill_worker(self, worker: Running) -> bool:
        """Kill a worker, and start another."""
        self._site.kill(worker)
        self._workers.remove(worker)
        self._workers += self._start(1)
        return True

    def kill_host(self, worker: Running) -> bool:
        """Kill the Node process of a worker, if there is one now."""
        return _kill_descendant(worker, is_host)

    def kill_browser(self, worker: Running) -> bool:
        """Kill the browser of a worker, if there is one now."""
        return _kill_descendant(worker, is_browser)

    def stop(self) -> None:
        """Stop all workers as an operator does."""
        assert [worker.end() for worker in self._workers] == [0] * WORKERS

    def _start(self, count: int) -> list[Running]:
        return self._site.start(*["worker"] * count, **self._settings)


def _kill_descendant(worker: Running, is_wanted: Callable[[bytes], bool]) -> bool:
    for process_id in descendants(worker.process.pid):
        if is_wanted(arguments_of(process_id)):
            try:
                os.kill(process_id, signal.SIGKILL)
            except ProcessLookupError:  # it has just ended
                return False
            return True
    return False


async def test_renders_survive_kills_of_workers_hosts_and_browsers(
    site: Site, tmp_path: Path, node_bundle: Path
) -> None:
    chance = random.Random(SEED)  # noqa: S311  # not for secrets
    (server,) = site.start("serve --port 0", renderer="node")
    machines = Machines(site, tmp_path, node_bundle)
    kinds = (machines.kill_worker, machines.kill_host, machines.kill_browser)
    killed: Counter[str] = Counter()
    async with open_client(server.url) as client:
        ids: list[str] = []
        for number in range(KILLS):
            kind = kinds[number % len(kinds)]
            await until_completed(client, RENDERS * number // KILLS - MAX_UNFINISHED)
            async with asyncio.timeout(RENDERED_TIMEOUT_S):
                await start_some(client, ids, maximum=RENDERS * (number + 1) // KILLS)
                while not await kill_one(machines, kind, chance):
                    await start_some(client, ids, maximum=0)
            killed[kind.__name__] += 1
        renders = await until_all_have_ended(client)
        assert {render["id"]: render["status"] for render in renders} == dict.fromkeys(ids, "COMPLETE")
        assert await client.quota_used() == len(ids) >= RENDERS
        for render in renders:
            video = await client.http.get(render["outputUrl"])
            assert (video.status_code, len(video.content)) == (200, render["outputSizeBytes"])
    machines.stop()
    assert {path.name for path in site.outputs.iterdir()} == {f"{each}.{end}" for each in ids for end in ("jpg", "mp4")}
    await until_nothing_is_left(machines.temporary)
    attempts = sum(render["attempt"] for render in renders)
    print(f"{dict(killed)}: {len(ids)} renders COMPLETE, in {attempts} attempts")  # noqa: T201


async def start_some(client: Client, ids: list[str], *, maximum: int) -> None:
    """Start renders until `MAX_UNFINISHED` have not ended, or this number is started; one if none is unfinished.

    If this number is that of all renders, all are started.
    """
    unfinished = len(await client.list_renders(first=100, filter={"status": ["QUEUED", "RENDERING"]}))
    while unfinished == 0 or (len(ids) < maximum and (unfinished < MAX_UNFINISHED or maximum == RENDERS)):
        ids.append(await client.start_render(durationInFrames=FRAMES))
        unfinished += 1


async def kill_one(machines: Machines, kind: Callable[[Running], bool], chance: random.Random) -> bool:
    """Kill a process of a busy worker after some time. Return whether there was one."""
    if busy := machines.busy():
        await asyncio.sleep(chance.uniform(0, MAX_DELAY_S))
        return kind(chance.choice(busy))
    await asyncio.sleep(0.05)
    return False


async def until_completed(client: Client, count: int) -> None:
    """Wait until this number of renders is COMPLETE, so that kills don't hit the same render again and again."""
    async with asyncio.timeout(RENDERED_TIMEOUT_S):
        for pause_s in pauses():
            if len(await client.list_renders(first=100, filter={"status": ["COMPLETE"]})) >= count:
                return
            await asyncio.sleep(pause_s)


async def until_all_have_ended(client: Client) -> list[dict[str, Any]]:
    """Wait until no render is unfinished, and return all."""
    async with asyncio.timeout(RENDERED_TIMEOUT_S * RENDERS):
        for pause_s in pauses():
            renders = await client.list_renders(first=100)
            if all(render["completedAt"] for render in renders):
                return renders
            await asyncio.sleep(pause_s)
    raise AssertionError


async def until_nothing_is_left(folder: Path) -> None:
    """Wait until no process uses the folder, and it is empty."""
    async with asyncio.timeout(TEST_TIMEOUT_S):
        while users_of(folder) or os.listdir(folder):  # noqa: ASYNC110, PTH208  # as long as processes take to end
            await asyncio.sleep(0.05)
