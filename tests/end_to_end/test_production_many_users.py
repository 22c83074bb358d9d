"""Many users of one deployment at once: no render is lost or made twice, and no user sees those of another.

`RENDERS_PER_USER=10` is the complete run, with 200 renders.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

from tests.end_to_end.processes import COMMAND, Running
from tests.end_to_end.production import Site, Watcher, open_client, report
from tests.support.api_client import CANCEL, DELETE, GET, NODE, REFRESH, Client, pauses
from tests.support.api_stream import Stream, open_stream
from tests.support.mongo_server import connect_to_mongo
from tests.support.tokens import token_of

USERS = 20
EACH = int(os.environ.get("RENDERS_PER_USER", "5"))  # renders, as many as a user may start
MAX_DURATION_S = 240.0  # for all of them, on a busy machine
STATE = "subscription ($id: ID!) { renderProgress(renderId: $id) { id revision status progress } }"
# The intervals are the product's own: reading 200 watched renders every 0.5 s costs this MongoDB a sixth of the time.
SETTINGS = {"quota_limit": EACH, "lease_s": 15, "check_interval_s": 5}


async def test_renders_of_20_concurrent_users_are_each_made_once_and_watched_to_the_end(
    site: Site,
) -> None:
    workers = site.start("worker", "worker", **SETTINGS)
    apis = [site.run(COMMAND, "serve", "--port", "0", **SETTINGS) for _ in range(2)]
    async with _connected_users(*apis) as users:
        async with asyncio.timeout(MAX_DURATION_S), asyncio.TaskGroup() as tasks:
            for user in users:
                tasks.create_task(user.start_and_watch())
            await _until_all_have_leased(site, workers)
            await asyncio.gather(*(user.hides_from(another) for user, another in pairwise(users)))
        for user in users:
            await user.check()
    ids = [render_id for user in users for render_id in user.render_ids]
    assert len(set(ids)) == USERS * EACH
    expected = {f"{render_id}.{suffix}" for render_id in ids for suffix in ("mp4", "jpg")}
    assert {path.name for path in site.outputs.iterdir()} == expected
    _check_documents(site, users)
    assert await asyncio.gather(*(asyncio.to_thread(process.end) for process in (*workers, *apis))) == [0] * 4
    report(f"{USERS} users at 2 API processes", ids, (), [watcher for user in users for watcher in user.watchers])


class User:
    """A user who starts renders at one API process and watches half of them at another."""

    def __init__(self, name: str, here: Client, there: Client) -> None:
        self.name = name
        self.watchers: list[Watcher] = []
        self.has_started = asyncio.Event()
        self._here = Client(here.http, user=name, token=token_of(name))
        self._there = Client(there.http, user=name, token=token_of(name))

    @property
    def render_ids(self) -> list[str]:
        """The ids of the renders that the user has started, oldest first."""
        return [watcher.render_id for watcher in self.watchers]

    async def start_and_watch(self) -> None:
        """Start what the quota allows and one more, which is rejected; return when all subscriptions are complete."""
        async with open_stream(self._here) as here, open_stream(self._there) as there:
            for number in range(EACH):
                render_id = await self._here.start_render(durationInFrames=1 + number % 2)
                self.watchers.append(Watcher(render_id))
                await (here, there)[number % 2].subscribe(STATE, render_id, id=render_id)
            self.has_started.set()
            assert (await self._there.start())["__typename"] == "RenderQuotaExceeded"
            await asyncio.gather(_follow(here, self.watchers[::2]), _follow(there, self.watchers[1::2]))

    async def hides_from(self, other: "User") -> None:
        """Check that another user doesn't find a render of this one, at the process where its owner started it."""
        await self.has_started.wait()
        render_id, client = self.render_ids[-2], other._there
        assert client.http is self._here.http
        assert await client.execute(GET, id=render_id) is None
        assert await client.execute(NODE, id=render_id) is None
        for mutation in (CANCEL, DELETE, REFRESH):
            assert (await client.execute(mutation, id=render_id))["__typename"] == "RenderNotFound"
        async with open_stream(client) as stream:
            await stream.subscribe(STATE, id=render_id)
            message = await stream.receive()
        assert message["type"] == "next"
        assert message["payload"]["data"] is None
        assert [error["extensions"]["code"] for error in message["payload"]["errors"]] == ["NOT_FOUND"]

    async def check(self) -> None:
        """Check that the user has exactly these renders, each made once, watched to its end, and downloadable."""
        renders = await self._there.list_renders(first=100)
        assert [render["id"] for render in renders] == self.render_ids[::-1]
        assert {(render["status"], render["attempt"]) for render in renders} == {("COMPLETE", 1)}
        assert await self._there.quota_used() == EACH
        for render, watcher in zip(renders, reversed(self.watchers), strict=True):
            watcher.check()
            assert watcher.connections[-1][-1]["revision"] == render["revision"]
            video = await self._here.http.get(render["outputUrl"])
            assert (video.status_code, len(video.content)) == (200, render["outputSizeBytes"])


@asynccontextmanager
async def _connected_users(first: Running, second: Running) -> AsyncIterator[list[User]]:
    """Connect the users: half of them start renders at one API process, half at the other."""
    async with open_client(first.url) as one, open_client(second.url) as other:
        yield [User(f"user-{n}", *((other, one) if n % 2 else (one, other))) for n in range(USERS)]


async def _follow(stream: Stream, watchers: list[Watcher]) -> None:
    """Pass each state of the stream to the watcher of its render; return when all operations are complete."""
    states: dict[str, list[dict[str, Any]]] = {watcher.render_id: [] for watcher in watchers}
    for watcher in watchers:
        watcher.connections.append(states[watcher.render_id])
    watched = set(states)
    while watched:
        message = json.loads(await stream.connection.recv())  # it may come later than `receive` waits
        assert message["id"] in watched, message
        if message["type"] == "complete":
            watched.remove(message["id"])
        else:
            assert "errors" not in message["payload"], message
            states[message["id"]].append(message["payload"]["data"]["renderProgress"])


async def _until_all_have_leased(site: Site, workers: list[Running]) -> None:
    """Wait until each of the workers has leased a render."""
    for worker in workers:
        pause = pauses()
        while not site.leased_to(worker):  # noqa: ASYNC110  # another process
            await asyncio.sleep(next(pause))


def _check_documents(site: Site, users: list[User]) -> None:
    """Check that the database contains exactly the renders and quota units of these users, and no lease."""
    with connect_to_mongo(site.mongo.url) as client:
        database = client[site._database]
        renders = list(database["renders"].find())
    assert len(renders) == USERS * EACH
    assert not any("lease" in render for render in renders)
    owned = {(f"rendercast {user.name}", render_id) for user in users for render_id in user.render_ids}
    assert {(render["owner"], render["_id"]) for render in renders} == owned
    numbers = sorted((render["owner"], render["quota"]["number"], render["quota"]["used"]) for render in renders)
    assert numbers == sorted((f"rendercast {user.name}", each, each) for user in users for each in range(1, EACH + 1))
