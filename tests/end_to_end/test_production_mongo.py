"""MongoDB restarts, hangs, and is unavailable: the effect on renders, requests and subscribers."""

import asyncio
import signal
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.end_to_end.production import (
    SEVERAL,
    Site,
    all_end_well,
    open_client,
    readiness,
    report,
    started_slow,
    under_way,
    watching,
)
from tests.support.api_client import GET, PROPS, RETRY_S, START, Client

OUTAGE_S = 10
HANGING_S = 5
TIMEOUT_S = 2
MANY = 30  # requests at once, more than motor has threads
LONGER_THAN_OUTAGE_S = 30
LEASE_S = 5
LONGER_THAN_LEASE_S = 7
MAX_OPERATIONS = 100  # of a user, so that all of those requests reach the store
MAX_RESPONSE_S = 19  # less than twice the default timeout of a response from MongoDB, which is ten seconds


async def test_a_restart_of_mongodb_loses_no_render_and_starts_none_twice(site: Site) -> None:
    api, other, *workers = site.start(
        "serve --port 0", "serve --port 0", "worker", "worker", lease_s=LONGER_THAN_OUTAGE_S
    )
    async with open_client(api.url) as client, open_client(other.url) as another:
        ids = await started_slow(site, client)
        async with watching(ids, client, another) as watchers:
            await under_way(site, client, *workers)
            async with _starting(another) as more:
                site.mongo.stop()
                site.renderers.speed_up()
                site.mongo.start()
            await readiness(client, 200)
            await readiness(another, 200)
        assert await all_end_well(site, client, sorted(ids + more)) == set()
    report(f"MongoDB restarted, {len(more)} of the renders started meanwhile", ids + more, (), watchers)


async def test_mongodb_unavailable_for_10_s_gives_clients_an_error_and_only_delays_renders(site: Site) -> None:
    api, *workers = site.start(
        "serve --port 0", "worker", "worker", lease_s=LONGER_THAN_OUTAGE_S, max_concurrent_operations=MAX_OPERATIONS
    )
    async with open_client(api.url) as client:
        ids = await started_slow(site, client)
        async with watching(ids, client, client) as watchers:
            await under_way(site, client, *workers)
            site.mongo.stop(signal.SIGKILL)
            site.renderers.speed_up()
            back = asyncio.create_task(asyncio.sleep(OUTAGE_S))
            await _rejected(client, ids[0], within_s=MAX_RESPONSE_S)
            await back
            site.mongo.start()
            await readiness(client, 200)
        assert await all_end_well(site, client, ids) == set()
    report(f"MongoDB unavailable for {OUTAGE_S} s", ids, (), watchers)


async def test_a_mongodb_that_hangs_gives_clients_an_error_and_only_delays_renders(site: Site) -> None:
    site.settings["MONGODB_URL"] = f"{site.settings['MONGODB_URL']}?timeoutMS={TIMEOUT_S * 1000}"
    api, *workers = site.start(
        "serve --port 0", "worker", "worker", lease_s=LONGER_THAN_OUTAGE_S, max_concurrent_operations=MAX_OPERATIONS
    )
    async with open_client(api.url) as client:
        ids = await started_slow(site, client)
        async with watching(ids, client) as watchers:
            await under_way(site, client, *workers)
            site.mongo.pause()
            site.renderers.speed_up()
            over = asyncio.create_task(asyncio.sleep(HANGING_S))
            await _rejected(client, ids[0], within_s=MAX_RESPONSE_S)
            await over
            site.mongo.resume()
        assert await all_end_well(site, client, ids) == set()
    report(f"MongoDB hangs for {HANGING_S} s", ids, (), watchers)


async def test_mongodb_unavailable_for_longer_than_the_leases_loses_no_render(site: Site) -> None:
    api, *workers = site.start("serve --port 0", "worker", "worker", lease_s=LEASE_S)
    async with open_client(api.url) as client:
        ids = await started_slow(site, client)
        async with watching(ids, client) as watchers:
            await under_way(site, client, *workers)
            leased = set[str]().union(*map(site.leased_to, workers))
            site.mongo.stop(signal.SIGKILL)
            await asyncio.sleep(LONGER_THAN_LEASE_S)
            site.mongo.start()
            await readiness(client, 200)
            site.renderers.speed_up()
        twice = await all_end_well(site, client, ids)
        assert twice <= leased
    report("MongoDB unavailable for longer than the leases", ids, twice, watchers)


async def _rejected(client: Client, render_id: str, *, within_s: float) -> None:
    """Check that many concurrent requests get SERVICE_UNAVAILABLE in time, without details of the server."""
    started_at = time.monotonic()
    props = {"animationProps": PROPS}
    async with asyncio.TaskGroup() as tasks:
        errors = [
            *(tasks.create_task(client.error(GET, id=render_id)) for _ in range(MANY)),
            tasks.create_task(client.error(START, input=props)),
        ]
        ready = tasks.create_task(readiness(client, 503))
    assert time.monotonic() - started_at < within_s
    assert ready.done()
    for error in errors:
        assert error.result()["extensions"]["code"] == "SERVICE_UNAVAILABLE"
        assert "127.0.0.1" not in error.result()["message"]


@asynccontextmanager
async def _starting(client: Client) -> AsyncIterator[list[str]]:
    """Start renders with idempotency keys and retries while the context is open; yield the list of their ids."""
    render_ids: list[str] = []
    is_done = asyncio.Event()

    async def keep_starting() -> None:
        while not is_done.is_set() and len(render_ids) < SEVERAL:
            render_ids.append(await _start(client, str(uuid.uuid4())))

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(keep_starting())
        while not render_ids:  # noqa: ASYNC110  # another process
            await asyncio.sleep(RETRY_S)
        yield render_ids
        is_done.set()


async def _start(client: Client, key: str) -> str:
    while True:
        given = {"animationProps": {**PROPS, "durationInFrames": 2}, "idempotencyKey": key}
        response = await client.post(START, input=given)
        if "errors" not in response:
            render_id: str = response["data"]["startRender"]["render"]["id"]
            return render_id
        assert response["errors"][0]["extensions"]["code"] == "SERVICE_UNAVAILABLE", response
        await asyncio.sleep(RETRY_S)
