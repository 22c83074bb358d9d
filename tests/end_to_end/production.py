"""Rendercast as in production: processes that share only a MongoDB, a Redis and an output folder."""

import asyncio
import signal
import uuid
from collections.abc import AsyncIterator, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
from pymongo import MongoClient
from websockets.exceptions import ConnectionClosed

from services.backends.cores import available_cores
from tests.end_to_end.processes import COMMAND, START_TIMEOUT_S, Running, quiet_window_s
from tests.end_to_end.slow import SlowRenderers
from tests.support import api_client as clients
from tests.support import tokens
from tests.support.api_client import GET, NO_TLS, PROGRESS, TEST_TIMEOUT_S, Client, pauses
from tests.support.api_stream import Stream, open_stream
from tests.support.mongo_server import MongoServer, connect_to_mongo
from tests.support.redis_server import RedisServer

CAPACITY = available_cores()  # renders that one worker runs at once
SEVERAL = 2 * CAPACITY + 2  # renders: two workers are busy, and some wait
LONG = 600  # frames: ten seconds or more with slow renderers
RENDERED_TIMEOUT_S = 240.0
QUOTA = 1000
SETTINGS: dict[str, object] = {
    "renderer": "text",
    "quota_limit": QUOTA,
    "lease_s": 10,  # a live worker renews its leases in time even on a busy machine
    "check_interval_s": 0.5,
    "text_width": 320,
    "text_height": 180,
    "max_duration_s": 600,
    "jwt_secret": tokens.SECRET,
}


class Site:
    """A deployment: a MongoDB, a Redis, an output folder, and the processes on them, each with a log folder."""

    def __init__(self, folder: Path, *, mongo: MongoServer, redis: RedisServer) -> None:
        self.outputs = folder / "data" / "outputs"
        self.mongo = mongo
        self.redis = redis
        self.started: list[Running] = []
        self.start_timeout_s = START_TIMEOUT_S
        self.renderers = SlowRenderers(folder)
        self._folder = folder
        self._database = f"test-{uuid.uuid4()}"
        self.settings = {
            **SETTINGS,
            **self.renderers.settings,
            "quota_window_s": quiet_window_s(),
            "data_dir": folder / "data",
            "MONGODB_URL": f"{mongo.url}/{self._database}",
            "REDIS_URL": redis.url,
        }

    def start(self, *commands: str, **settings: object) -> list[Running]:
        """Start `rendercast` with each of these commands in parallel and return the processes when all are ready."""
        with ThreadPoolExecutor(len(commands)) as threads:
            starts = [threads.submit(self.run, COMMAND, *command.split(), **settings) for command in commands]
        return [start.result() for start in starts]

    def run(self, *command: str, **settings: object) -> Running:
        """Start a process and return it when it is ready."""
        folder = self._folder / str(uuid.uuid4())
        folder.mkdir()
        process = Running(folder, command, {**self.settings, **settings}, timeout_s=self.start_timeout_s)
        self.started.append(process)
        return process

    def kill(self, process: Running) -> None:
        """End the process with SIGKILL, and abort a transaction that it has left open.

        MongoDB would keep that transaction, with its locks on documents, for a minute or more
        (`transactionLifetimeLimitSeconds`), which is longer than a test waits. Transactions of other processes are
        aborted too; these repeat them.
        """
        assert process.end(signal.SIGKILL) == -signal.SIGKILL
        self._mongo_client.admin.command("killAllSessions", [])

    def leased_to(self, worker: Running) -> set[str]:
        """Return the ids of the renders that the worker has leased."""
        leased = self._mongo_client[self._database]["renders"].find({"lease.worker": {"$exists": True}})
        return {found["_id"] for found in leased if found["lease"]["worker"].startswith(f"{worker.process.pid}-")}

    def finished_files(self) -> set[str]:
        """Return the ids of the renders whose video file exists."""
        return {path.stem for path in self.outputs.glob("*.mp4")}

    def close(self) -> None:
        """Kill all processes, also those that are paused."""
        for process in self.started:
            process.close()
        self._mongo_client.close()

    @cached_property
    def _mongo_client(self) -> MongoClient[dict[str, Any]]:
        return connect_to_mongo(self.mongo.url)


def open_client(url: str, *, user: str = "ann") -> AbstractAsyncContextManager[Client]:
    """Connect to a server as a user, with a token."""
    return clients.open_client(url, user=user, token=tokens.token_of(user))


class Watcher:
    """A subscriber to one render. When a server disconnects, it subscribes at the next one."""

    def __init__(self, render_id: str, *clients: Client) -> None:
        self.render_id = render_id
        self.connections: list[list[dict[str, Any]]] = []
        self.has_state = asyncio.Event()
        self._clients = clients

    async def run(self) -> None:
        """Return when a server has sent the last state of the render."""
        for client in self._clients:
            try:
                return await self._follow(client)
            except ConnectionClosed:
                continue
        raise AssertionError(f"no server sent the end of {self.render_id}")

    async def _follow(self, client: Client) -> None:
        stored = await client.execute(GET, id=self.render_id)
        states: list[dict[str, Any]] = []
        self.connections.append(states)
        async with open_stream(client) as stream:
            await stream.subscribe(PROGRESS, id=self.render_id)
            while (state := await _next(stream)) is not None:
                states.append(state)
                self.has_state.set()
        assert states[0]["revision"] >= stored["revision"]

    def check(self) -> None:
        """Check that revisions increase on each connection, never decrease between them, and end with COMPLETE."""
        for states in self.connections:
            assert all(earlier["revision"] < later["revision"] for earlier, later in pairwise(states))
        received = [state for states in self.connections for state in states]
        assert all(earlier["revision"] <= later["revision"] for earlier, later in pairwise(received))
        assert all(earlier["progress"] <= later["progress"] for earlier, later in pairwise(received))
        assert (received[-1]["id"], received[-1]["status"]) == (self.render_id, "COMPLETE")


@asynccontextmanager
async def watching(render_ids: Collection[str], *clients: Client) -> AsyncIterator[list[Watcher]]:
    """Watch each render through each client from the entry of this context; its exit waits for all ends."""
    watchers = [Watcher(render_id, client) for client in clients for render_id in render_ids]
    async with following(watchers):
        yield watchers


@asynccontextmanager
async def following(watchers: Collection[Watcher]) -> AsyncIterator[None]:
    """Run the watchers. The entry of this context waits for the first state of each, its exit for the last."""
    async with asyncio.TaskGroup() as tasks:
        for watcher in watchers:
            tasks.create_task(watcher.run())
        async with asyncio.timeout(TEST_TIMEOUT_S):
            for watcher in watchers:
                await watcher.has_state.wait()
        yield
    for watcher in watchers:
        watcher.check()


async def started(client: Client, *, count: int, frames: int) -> list[str]:
    """Start renders and return their ids."""
    return [await client.start_render(durationInFrames=frames) for _ in range(count)]


async def started_slow(site: Site, client: Client, *, count: int = SEVERAL) -> list[str]:
    """Start renders that last until `site.renderers.speed_up()`, and return their ids."""
    site.renderers.slow_down()
    return await started(client, count=count, frames=LONG)


async def under_way(site: Site, client: Client, *workers: Running) -> None:
    """Wait until each of the workers has as many leases as it may have, and has reported a frame of each render."""
    async with asyncio.timeout(TEST_TIMEOUT_S):
        for pause_s in pauses():
            renders = await client.list_renders(first=100, filter={"status": ["RENDERING"]})
            drawing = {render["id"] for render in renders if render["framesRendered"]}
            leased = [site.leased_to(worker) for worker in workers]
            if all(len(render_ids) == CAPACITY and render_ids <= drawing for render_ids in leased):
                return
            await asyncio.sleep(pause_s)


async def readiness(client: Client, status_code: int) -> None:
    """Wait until `/readyz` responds with this status."""
    pause = pauses()
    async with asyncio.timeout(TEST_TIMEOUT_S):
        while (await client.http.get("/readyz")).status_code != status_code:  # noqa: ASYNC110  # another process
            await asyncio.sleep(next(pause))


async def rendered(client: Client, render_id: str) -> dict[str, Any]:
    """Return a render of Node once it is COMPLETE: on a busy machine, its browser takes longer than `until` waits."""
    async with asyncio.timeout(RENDERED_TIMEOUT_S):
        for pause_s in pauses():
            render: dict[str, Any] = await client.execute(GET, id=render_id)
            assert render["status"] in {"QUEUED", "RENDERING", "COMPLETE"}, render
            if render["status"] == "COMPLETE":
                return render
            await asyncio.sleep(pause_s)
    raise AssertionError


async def all_end_well(site: Site, client: Client, render_ids: list[str]) -> set[str]:
    """Wait until all renders, which must be these, are COMPLETE. Return the ids of those with two attempts."""
    renders = [await client.until(render_id, status="COMPLETE") for render_id in render_ids]
    assert [render["id"] for render in await client.list_renders(first=100)] == render_ids[::-1]
    assert {render["attempt"] for render in renders} <= {1, 2}
    assert await client.quota_used() == len(render_ids)
    assert site.finished_files() == set(render_ids)
    async with httpx.AsyncClient(trust_env=False, verify=NO_TLS, timeout=TEST_TIMEOUT_S) as http:
        for render in renders:
            video = await http.get(render["outputUrl"])
            assert (video.status_code, len(video.content)) == (200, render["outputSizeBytes"])
    return {render["id"] for render in renders if render["attempt"] == 2}


def report(scenario: str, render_ids: Collection[str], twice: Collection[str], watchers: Collection[Watcher]) -> None:
    """Print the result of a scenario, after all its checks."""
    ends = f"{len(watchers)} subscribers complete"
    line = f"{scenario}: {len(render_ids)} renders, {len(render_ids)} COMPLETE, {len(twice)} with two attempts, {ends}"
    print(line)  # noqa: T201  # the counts in docs/operating.md


async def _next(stream: Stream) -> dict[str, Any] | None:
    """Return the next state; None at the end."""
    message = await stream.receive()
    if message["type"] == "complete":
        return None
    assert message["type"] == "next", message
    assert "errors" not in message["payload"], message
    state: dict[str, Any] = message["payload"]["data"]["renderProgress"]
    return state
