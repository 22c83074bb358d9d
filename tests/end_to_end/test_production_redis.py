"""What becomes of renders and subscribers when Redis goes away and comes back."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.end_to_end.production import (
    Site,
    all_end_well,
    open_client,
    readiness,
    report,
    started,
    under_way,
    watching,
)
from tests.support.api_client import RETRY_S, TEST_TIMEOUT_S, UPDATES, Client, open_stream

AWAY_S = 10
MAX_RESPONSE_S = 10  # the limits of publishing a new render and of waking the workers, and what a busy machine adds
PROCESSES = ("serve --port 0", "serve --port 0", "worker", "worker")


async def test_a_restart_of_redis_is_noticed_by_nobody_who_watches(site: Site) -> None:
    api, other, *workers = site.start(*PROCESSES)
    async with open_client(api.url) as client, open_client(other.url) as another:
        ids = await started(client)
        async with watching(ids, client, another) as watchers:
            await under_way(site, client, *workers)
            site.redis.stop(signal.SIGTERM)
            site.redis.start()
        await readiness(client, 200)
        await readiness(another, 200)
        assert await all_end_well(site, client, ids) == set()
    report("Redis restarted", ids, (), watchers)


async def test_killed_pubsub_connections_are_made_anew(site: Site) -> None:
    api, other, *workers = site.start(*PROCESSES)
    async with open_client(api.url) as client, open_client(other.url) as another:
        ids = await started(client)
        async with watching(ids, client, another) as watchers, _watching_all(client), _watching_all(another):
            await under_way(site, client, *workers)
            assert site.redis.command("CLIENT", "KILL", "TYPE", "pubsub").strip() == f":{len(PROCESSES)}"
            async with asyncio.timeout(TEST_TIMEOUT_S):
                while site.redis.clients("pubsub") < len(PROCESSES):  # noqa: ASYNC110  # another process
                    await asyncio.sleep(RETRY_S)
        assert await all_end_well(site, client, ids) == set()
    report("pub/sub connections killed", ids, (), watchers)


async def test_renders_finish_and_are_started_while_redis_is_away_for_10_s(site: Site) -> None:
    api, other, *workers = site.start(*PROCESSES)
    async with open_client(api.url) as client, open_client(other.url) as another:
        ids = await started(client)
        async with watching(ids, client, another) as watchers:
            await under_way(site, client, *workers)
            site.redis.stop()
            back = asyncio.create_task(asyncio.sleep(AWAY_S))
            asked_at = time.monotonic()
            ids += await started(another, count=1, frames=2)
            assert time.monotonic() - asked_at < MAX_RESPONSE_S
            await readiness(client, 503)
            async with watching(ids[-1:], client, another) as late_watchers:
                pass
        assert await all_end_well(site, client, ids) == set()
        await back
        site.redis.start()
        await readiness(client, 200)
        await readiness(another, 200)
        async with watching(await started(client, count=1, frames=2), client, another):
            pass
    report(f"Redis away for {AWAY_S} s", ids, (), [*watchers, *late_watchers])


async def test_a_render_whose_worker_is_killed_while_redis_hangs_comes_to_its_end(site: Site) -> None:
    api, *workers = site.start("serve --port 0", "worker", "worker", lease_s=3)
    async with open_client(api.url) as client:
        ids = await started(client, count=1)
        async with watching(ids, client) as watchers:
            await client.until(ids[0], status="RENDERING")
            site.redis.pause()
            site.kill(next(worker for worker in workers if site.leased_to(worker)))
            await client.until(ids[0], status="QUEUED")
            await asyncio.sleep(2)  # the other has put it back in the queue, can't tell anybody, and looks for work
            site.redis.resume()
        assert await all_end_well(site, client, ids) == set(ids)
    report("worker killed while Redis hangs", ids, ids, watchers)


@asynccontextmanager
async def _watching_all(client: Client) -> AsyncIterator[None]:
    """Watch all renders, which has no end, so that the server listens meanwhile."""
    async with open_stream(client) as stream:
        await stream.subscribe(UPDATES)
        reading = asyncio.create_task(stream.rest())
        yield
        reading.cancel()
