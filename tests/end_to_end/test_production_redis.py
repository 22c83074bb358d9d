"""Redis restarts, hangs, and is unavailable: the effect on renders and subscribers."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.end_to_end.production import (
    Site,
    all_end_well,
    open_client,
    report,
    started,
    started_slow,
    under_way,
    watching,
)
from tests.support.api_client import RETRY_S, TEST_TIMEOUT_S, UPDATES, Client
from tests.support.api_stream import open_stream

OUTAGE_S = 10
MAX_RESPONSE_S = 10  # the limits of publishing a new render and of waking the workers, and what a busy machine adds
PROCESSES = ("serve --port 0", "serve --port 0", "worker", "worker")


async def test_a_restart_of_redis_ends_no_subscription_and_loses_no_state(site: Site) -> None:
    api, other, *workers = site.start(*PROCESSES)
    async with open_client(api.url) as client, open_client(other.url) as another:
        ids = await started_slow(site, client)
        async with watching(ids, client, another) as watchers:
            await under_way(site, client, *workers)
            site.redis.stop(signal.SIGTERM)
            site.renderers.speed_up()
            site.redis.start()
        await until_pubsub(client, ok=True)
        await until_pubsub(another, ok=True)
        assert await all_end_well(site, client, ids) == set()
    report("Redis restarted", ids, (), watchers)


async def test_killed_pubsub_connections_are_replaced(site: Site) -> None:
    api, other, *workers = site.start(*PROCESSES)
    async with open_client(api.url) as client, open_client(other.url) as another:
        ids = await started_slow(site, client)
        async with watching(ids, client, another) as watchers, _watching_all(client), _watching_all(another):
            await under_way(site, client, *workers)
            assert site.redis.command("CLIENT", "KILL", "TYPE", "pubsub").strip() == f":{len(PROCESSES)}"
            async with asyncio.timeout(TEST_TIMEOUT_S):
                while site.redis.clients("pubsub") < len(PROCESSES):  # noqa: ASYNC110  # another process
                    await asyncio.sleep(RETRY_S)
            site.renderers.speed_up()
        assert await all_end_well(site, client, ids) == set()
    report("pub/sub connections killed", ids, (), watchers)


async def test_renders_start_and_complete_while_redis_is_unavailable_for_10_s(site: Site) -> None:
    api, other, *workers = site.start(*PROCESSES)
    async with open_client(api.url) as client, open_client(other.url) as another:
        ids = await started_slow(site, client)
        async with watching(ids, client, another) as watchers:
            await under_way(site, client, *workers)
            site.redis.stop()
            site.renderers.speed_up()
            back = asyncio.create_task(asyncio.sleep(OUTAGE_S))
            started_at = time.monotonic()
            ids += await started(another, count=1, frames=2)
            assert time.monotonic() - started_at < MAX_RESPONSE_S
            await until_pubsub(client, ok=False)
            async with watching(ids[-1:], client, another) as late_watchers:
                pass
        assert await all_end_well(site, client, ids) == set()
        await back
        site.redis.start()
        await until_pubsub(client, ok=True)
        await until_pubsub(another, ok=True)
        async with watching(await started(client, count=1, frames=2), client, another):
            pass
    report(f"Redis unavailable for {OUTAGE_S} s", ids, (), [*watchers, *late_watchers])


async def test_a_render_whose_worker_is_killed_while_redis_hangs_completes(site: Site) -> None:
    api, *workers = site.start("serve --port 0", "worker", "worker")
    async with open_client(api.url) as client:
        ids = await started_slow(site, client, count=1)
        async with watching(ids, client) as watchers:
            await client.until(ids[0], status="RENDERING")
            site.redis.pause()
            site.kill(next(worker for worker in workers if site.leased_to(worker)))
            await client.until(ids[0], status="QUEUED")
            await asyncio.sleep(2)  # the other worker requeued it, can't publish that, and polls
            site.redis.resume()
            site.renderers.speed_up()
        assert await all_end_well(site, client, ids) == set(ids)
    report("worker killed while Redis hangs", ids, ids, watchers)


async def until_pubsub(client: Client, *, ok: bool) -> None:
    """Wait until `/readyz`, which must return 200 all the time, reports this state of pub/sub."""
    async with asyncio.timeout(TEST_TIMEOUT_S):
        while True:
            response = await client.http.get("/readyz")
            assert response.status_code == 200
            if response.json()["parts"]["pubsub"]["ok"] is ok:
                return
            await asyncio.sleep(RETRY_S)


@asynccontextmanager
async def _watching_all(client: Client) -> AsyncIterator[None]:
    """Subscribe to all renders, without an end, so that the server stays subscribed at Redis."""
    async with open_stream(client) as stream:
        await stream.subscribe(UPDATES)
        reading = asyncio.create_task(stream.rest())
        yield
        reading.cancel()
