"""What becomes of renders and subscribers when MongoDB goes away and comes back."""

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
    started,
    under_way,
    watching,
)
from tests.support.api_client import GET, PROPS, RETRY_S, START, Client

AWAY_S = 10
HANGING_S = 5
PATIENCE_S = 2
MANY = 30  # requests at once, more than motor has threads
LONGER_THAN_AWAY_S = 30
AT_ONCE = 100  # operations of a user, so that all of those requests meet the store
MAX_RESPONSE_S = 15  # the limit of an answer from MongoDB, and what a busy machine adds


async def test_a_restart_of_mongodb_loses_no_render_and_begins_none_twice(site: Site) -> None:
    api, other, *workers = site.start(
        "serve --port 0", "serve --port 0", "worker", "worker", lease_s=LONGER_THAN_AWAY_S
    )
    async with open_client(api.url) as client, open_client(other.url) as another:
        ids = await started(client)
        async with watching(ids, client, another) as watchers:
            await under_way(site, client, *workers)
            async with _starting(another) as more:
                site.mongo.stop()
                site.mongo.start()
            await readiness(client, 200)
            await readiness(another, 200)
        assert await all_end_well(site, client, sorted(ids + more)) == set()
    report(f"MongoDB restarted, {len(more)} of the renders started meanwhile", ids + more, (), watchers)


async def test_mongodb_away_for_10_s_is_told_to_clients_and_delays_renders_only(site: Site) -> None:
    api, *workers = site.start(
        "serve --port 0", "worker", "worker", lease_s=LONGER_THAN_AWAY_S, max_concurrent_operations=AT_ONCE
    )
    async with open_client(api.url) as client:
        ids = await started(client)
        async with watching(ids, client, client) as watchers:
            await under_way(site, client, *workers)
            site.mongo.stop(signal.SIGKILL)
            back = asyncio.create_task(asyncio.sleep(AWAY_S))
            await _refused(client, ids[0], within_s=MAX_RESPONSE_S)
            await back
            site.mongo.start()
            await readiness(client, 200)
        assert await all_end_well(site, client, ids) == set()
    report(f"MongoDB away for {AWAY_S} s", ids, (), watchers)


async def test_a_mongodb_that_hangs_is_told_to_clients_and_delays_renders_only(site: Site) -> None:
    site.settings["MONGODB_URL"] = f"{site.settings['MONGODB_URL']}?timeoutMS={PATIENCE_S * 1000}"
    api, *workers = site.start(
        "serve --port 0", "worker", "worker", lease_s=LONGER_THAN_AWAY_S, max_concurrent_operations=AT_ONCE
    )
    async with open_client(api.url) as client:
        ids = await started(client)
        async with watching(ids, client) as watchers:
            await under_way(site, client, *workers)
            site.mongo.pause()
            over = asyncio.create_task(asyncio.sleep(HANGING_S))
            await _refused(client, ids[0], within_s=HANGING_S)
            await over
            site.mongo.resume()
        assert await all_end_well(site, client, ids) == set()
    report(f"MongoDB hangs for {HANGING_S} s", ids, (), watchers)


async def test_mongodb_away_for_longer_than_the_leases_loses_no_render(site: Site) -> None:
    api, *workers = site.start("serve --port 0", "worker", "worker", lease_s=1)
    async with open_client(api.url) as client:
        ids = await started(client)
        async with watching(ids, client) as watchers:
            await under_way(site, client, *workers)
            carried = set[str]().union(*map(site.leased_to, workers))
            site.mongo.stop(signal.SIGKILL)
            await asyncio.sleep(2)
            site.mongo.start()
            await readiness(client, 200)
        twice = await all_end_well(site, client, ids)
        assert twice <= carried
    report("MongoDB away for longer than the leases", ids, twice, watchers)


async def _refused(client: Client, render_id: str, *, within_s: float) -> None:
    """Require that what needs MongoDB is refused in time, in words of ours, however many ask."""
    asked_at = time.monotonic()
    props = {"animationProps": PROPS}
    async with asyncio.TaskGroup() as tasks:
        errors = [
            *(tasks.create_task(client.error(GET, id=render_id)) for _ in range(MANY)),
            tasks.create_task(client.error(START, input=props)),
        ]
        ready = tasks.create_task(readiness(client, 503))
    assert time.monotonic() - asked_at < within_s
    assert ready.done()
    for error in errors:
        assert error.result()["extensions"]["code"] == "SERVICE_UNAVAILABLE"
        assert "127.0.0.1" not in error.result()["message"]


@asynccontextmanager
async def _starting(client: Client) -> AsyncIterator[list[str]]:
    """Keep starting renders, each with an idempotency key and as often as it takes; the list is theirs at the end."""
    render_ids: list[str] = []
    enough = asyncio.Event()

    async def keep_starting() -> None:
        while not enough.is_set() and len(render_ids) < SEVERAL:
            render_ids.append(await _start(client, str(uuid.uuid4())))

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(keep_starting())
        while not render_ids:  # noqa: ASYNC110  # another process
            await asyncio.sleep(RETRY_S)
        yield render_ids
        enough.set()


async def _start(client: Client, key: str) -> str:
    while True:
        given = {"animationProps": {**PROPS, "durationInFrames": 2}, "idempotencyKey": key}
        answer = await client.post(START, input=given)
        if "errors" not in answer:
            render_id: str = answer["data"]["startRender"]["render"]["id"]
            return render_id
        assert answer["errors"][0]["extensions"]["code"] == "SERVICE_UNAVAILABLE", answer
        await asyncio.sleep(RETRY_S)
