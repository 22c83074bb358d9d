"""Outputs in S3-compatible storage, with workers and servers that share nothing else but MongoDB and Redis."""

import asyncio
import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.end_to_end.production import Site, open_client, started
from tests.support.api_client import DELETE, NO_TLS, TEST_TIMEOUT_S, Client
from tests.support.s3_server import FaultyS3, S3Fault, S3Server

BUCKET = "produced"
MANY = int(os.environ.get("STORED_RENDERS", "30"))  # 200 take half a minute of CPU time
UNFINISHED = {"status": ["QUEUED", "RENDERING"]}
MANY_TIMEOUT_S = 240.0


@pytest.fixture
def storage(s3_server: S3Server) -> Iterator[FaultyS3]:
    s3_server.make_bucket(BUCKET)
    for key in s3_server.keys(BUCKET):
        s3_server.delete(BUCKET, key)
    with FaultyS3(s3_server) as proxy:
        yield proxy


def settings(storage_url: str) -> dict[str, object]:
    return {
        "output_endpoint": storage_url,
        "output_bucket": BUCKET,
        "output_access_key_id": "key",
        "output_secret_access_key": "secret",
        "output_path_style": True,
    }


async def held(storage: FaultyS3) -> None:
    async with asyncio.timeout(TEST_TIMEOUT_S):
        while not storage.held:  # noqa: ASYNC110  # in other threads
            await asyncio.sleep(0.01)


async def deleted(client: Client, render_id: str) -> None:
    result = await client.execute(DELETE, id=render_id)
    assert result["__typename"] == "DeleteRenderSuccess"


async def test_of_many_renders_on_two_workers_none_is_lost_or_stored_twice(site: Site, s3_server: S3Server) -> None:
    s3_server.make_bucket(BUCKET)
    chosen = {"max_mutations_per_minute": MANY, **settings(s3_server.url)}
    api, *workers = site.start("serve --port 0", "worker", "worker", **chosen)
    async with open_client(api.url) as client:
        ids = await started(client, count=MANY, frames=1)
        renders = {render["id"]: render for render in await all_ended(client)}
        assert renders.keys() == set(ids)
        assert Counter(render["status"] for render in renders.values()) == {"COMPLETE": MANY}
        assert {render["attempt"] for render in renders.values()} == {1}
        assert await client.quota_used() == MANY
    keys = Counter(key.removeprefix("rendercast/").partition(".")[0] for key in s3_server.keys(BUCKET))
    assert keys == Counter(dict.fromkeys(ids, 2))  # video and poster
    async with httpx.AsyncClient(trust_env=False, verify=NO_TLS, timeout=TEST_TIMEOUT_S) as http:
        for render in renders.values():
            video = await http.get(render["outputUrl"])
            assert (video.status_code, len(video.content)) == (200, render["outputSizeBytes"])
    assert list(site.outputs.iterdir()) == []
    assert [worker.end() for worker in workers] == [0, 0]


async def all_ended(client: Client) -> list[dict[str, Any]]:
    """Return all renders once none is unfinished."""
    async with asyncio.timeout(MANY_TIMEOUT_S):
        while await client.list_renders(first=1, filter=UNFINISHED):  # noqa: ASYNC110  # in other processes
            await asyncio.sleep(0.5)  # each poll takes CPU time from the workers
    first = await client.list_renders(first=100)
    rest = await client.list_renders(first=100, after=await end_cursor(client))
    return [*first, *rest]


async def end_cursor(client: Client) -> str:
    page = await client.execute("{ renders(first: 100) { pageInfo { endCursor } } }")
    return str(page["pageInfo"]["endCursor"])


async def test_a_finished_render_outlives_an_outage_of_the_storage_and_the_end_of_its_worker(
    site: Site, storage: FaultyS3, s3_server: S3Server
) -> None:
    api, first = site.start("serve --port 0", "worker", **settings(storage.url))
    async with open_client(api.url) as client:
        storage.stop()
        render_id = await client.start_render(durationInFrames=2)
        await client.until(render_id, phase="COMBINING")
        storage.start()
        render = await client.until(render_id, status="COMPLETE")
        assert render["attempt"] == 1
        await deleted(client, render_id)

        storage.fail(S3Fault.HELD, method="PUT", containing=".mp4")
        render_id = await client.start_render(durationInFrames=2)
        await held(storage)
        site.kill(first)
        storage.release()  # the storage has received the whole file
        site.start("worker", **settings(storage.url))
        render = await client.until(render_id, status="COMPLETE")
        assert await client.quota_used() == 2
        async with httpx.AsyncClient(trust_env=False, verify=NO_TLS, timeout=TEST_TIMEOUT_S) as http:
            for url in (render["outputUrl"], render["posterUrl"]):
                assert (await http.get(url)).status_code == 200
        await deleted(client, render_id)
    assert s3_server.keys(BUCKET) == []
