"""Rendercast as in production: processes that share nothing but a MongoDB, a Redis and a folder of videos."""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
from pymongo import MongoClient
from websockets.exceptions import ConnectionClosed

from tests.end_to_end.processes import COMMAND, Running, quiet_window_s
from tests.support import api_client as clients
from tests.support import tokens
from tests.support.api_client import GET, PROGRESS, RETRY_S, TEST_TIMEOUT_S, Client, Stream, open_stream
from tests.support.mongo_server import MongoServer
from tests.support.redis_server import RedisServer

CAPACITY = os.cpu_count() or 1  # renders that one worker carries at once
SEVERAL = 2 * CAPACITY + 2  # renders: two workers are busy, and some wait
LONG = 6_000  # frames: a second or more of work
QUOTA = 1000
SETTINGS: dict[str, object] = {
    "renderer": "text",
    "quota_limit": QUOTA,
    "lease_s": 3,
    "check_interval_s": 0.5,
    "text_width": 320,
    "text_height": 180,
    "max_duration_s": 600,
    "jwt_secret": tokens.SECRET,
}


class Site:
    """One MongoDB, one Redis, one folder of videos, and the processes on them, each with a folder for its log."""

    def __init__(self, folder: Path, *, mongo: MongoServer, redis: RedisServer) -> None:
        self.outputs = folder / "data" / "outputs"
        self.mongo = mongo
        self.redis = redis
        self.started: list[Running] = []
        self._folder = folder
        self._database = f"test-{uuid.uuid4()}"
        self.settings = {
            **SETTINGS,
            "quota_window_s": quiet_window_s(),
            "data_dir": folder / "data",
            "MONGODB_URL": f"{mongo.url}/{self._database}",
            "REDIS_URL": redis.url,
        }

    def start(self, *commands: str, **settings: object) -> list[Running]:
        """Start `rendercast` with each of these commands, all at once, and return them when all are up."""
        with ThreadPoolExecutor(len(commands)) as threads:
            starts = [threads.submit(self.run, COMMAND, *command.split(), **settings) for command in commands]
        return [start.result() for start in starts]

    def run(self, *command: str, **settings: object) -> Running:
        """Start a process and return it when it is up."""
        folder = self._folder / str(uuid.uuid4())
        folder.mkdir()
        process = Running(folder, command, {**self.settings, **settings})
        self.started.append(process)
        return process

    def leased_to(self, worker: Running) -> set[str]:
        """Return the ids of the renders that the worker holds."""
        with MongoClient[dict[str, Any]](self.mongo.url) as client:
            leased = client[self._database]["renders"].find({"lease": {"$exists": True}})
            return {found["_id"] for found in leased if found["lease"]["worker"].startswith(f"{worker.process.pid}-")}

    def finished_files(self) -> set[str]:
        """Return the ids of the renders whose video is there."""
        return {path.stem for path in self.outputs.glob("*.mp4")}

    def close(self) -> None:
        """End all processes, whatever state they are in."""
        for process in self.started:
            process.close()


def open_client(url: str, *, user: str = "ann") -> AbstractAsyncContextManager[Client]:
    """Connect to a server as one of its users."""
    return clients.open_client(url, user=user, token=tokens.token_of(user))


class Watcher:
    """A subscriber to one render. When a server leaves it, it goes on to the next one."""

    def __init__(self, render_id: str, *clients: Client) -> None:
        self.render_id = render_id
        self.connections: list[list[dict[str, Any]]] = []
        self.first_told = asyncio.Event()
        self._clients = clients

    async def run(self) -> None:
        """Return when a server has said that the render has ended."""
        for client in self._clients:
            try:
                return await self._follow(client)
            except ConnectionClosed:
                continue
        raise AssertionError(f"nobody told the end of {self.render_id}")

    async def _follow(self, client: Client) -> None:
        stored = await client.execute(GET, id=self.render_id)
        states: list[dict[str, Any]] = []
        self.connections.append(states)
        async with open_stream(client) as stream:
            await stream.subscribe(PROGRESS, id=self.render_id)
            while (state := await _next(stream)) is not None:
                states.append(state)
                self.first_told.set()
        assert states[0]["revision"] >= stored["revision"]

    def check(self) -> None:
        """Require revisions that rise strictly on each connection, and never fall, up to a true end."""
        for states in self.connections:
            assert all(earlier["revision"] < later["revision"] for earlier, later in pairwise(states))
        told = [state for states in self.connections for state in states]
        assert all(earlier["revision"] <= later["revision"] for earlier, later in pairwise(told))
        assert all(earlier["progress"] <= later["progress"] for earlier, later in pairwise(told))
        assert (told[-1]["id"], told[-1]["status"]) == (self.render_id, "COMPLETE")


@asynccontextmanager
async def watching(render_ids: Collection[str], *clients: Client) -> AsyncIterator[list[Watcher]]:
    """Watch each render through each client: begun when this is entered, and at its end when it is left."""
    watchers = [Watcher(render_id, client) for client in clients for render_id in render_ids]
    async with following(watchers):
        yield watchers


@asynccontextmanager
async def following(watchers: Collection[Watcher]) -> AsyncIterator[None]:
    """Run the watchers: all have been told a first state when this is entered, and are at their end when it is left."""
    async with asyncio.TaskGroup() as tasks:
        for watcher in watchers:
            tasks.create_task(watcher.run())
        async with asyncio.timeout(TEST_TIMEOUT_S):
            for watcher in watchers:
                await watcher.first_told.wait()
        yield
    for watcher in watchers:
        watcher.check()


async def started(client: Client, *, count: int = SEVERAL, frames: int = LONG) -> list[str]:
    """Return the ids of new renders."""
    return [await client.start_render(durationInFrames=frames) for _ in range(count)]


async def under_way(site: Site, client: Client, *workers: Running) -> None:
    """Wait until each of the workers holds a render and one of its frames has been reported."""
    async with asyncio.timeout(TEST_TIMEOUT_S):
        while True:
            renders = await client.list_renders(first=100, filter={"status": ["RENDERING"]})
            drawing = {render["id"] for render in renders if render["framesRendered"]}
            if all(site.leased_to(worker) & drawing for worker in workers):
                return
            await asyncio.sleep(RETRY_S)


async def readiness(client: Client, status_code: int) -> None:
    """Wait until the server says that it is ready, or is not."""
    async with asyncio.timeout(TEST_TIMEOUT_S):
        while (await client.http.get("/readyz")).status_code != status_code:  # noqa: ASYNC110  # another process
            await asyncio.sleep(RETRY_S)


async def all_end_well(site: Site, client: Client, render_ids: list[str]) -> set[str]:
    """Wait for the end of all renders there are, which must be these, and return those that were begun twice."""
    renders = [await client.until(render_id, status="COMPLETE") for render_id in render_ids]
    assert [render["id"] for render in await client.list_renders(first=100)] == render_ids[::-1]
    assert {render["attempt"] for render in renders} <= {1, 2}
    assert await client.quota_used() == len(render_ids)
    assert site.finished_files() == set(render_ids)
    async with httpx.AsyncClient(trust_env=False) as http:
        for render in renders:
            video = await http.get(render["outputUrl"])
            assert (video.status_code, len(video.content)) == (200, render["outputSizeBytes"])
    return {render["id"] for render in renders if render["attempt"] == 2}


def report(situation: str, render_ids: Collection[str], twice: Collection[str], watchers: Collection[Watcher]) -> None:
    """Print what a situation came to, once all of it has been checked."""
    ends = f"{len(watchers)} subscribers at their end"
    line = f"{situation}: {len(render_ids)} renders, {len(render_ids)} COMPLETE, {len(twice)} begun twice, {ends}"
    print(line)  # noqa: T201  # the counts of docs/operating.md


async def _next(stream: Stream) -> dict[str, Any] | None:
    """Return the next state; None at the end."""
    message = await stream.receive()
    if message["type"] == "complete":
        return None
    assert message["type"] == "next", message
    assert "errors" not in message["payload"], message
    state: dict[str, Any] = message["payload"]["data"]["renderProgress"]
    return state
