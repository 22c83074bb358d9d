"""Many concurrent starts at one process with its SQLite file."""

import asyncio
from collections import Counter

from tests.end_to_end.conftest import Start
from tests.support.api_client import open_client

TINY = {"text_width": 64, "text_height": 64}


async def test_fifty_concurrent_starts_give_exactly_the_renders_of_the_quota(start: Start) -> None:
    async with open_client(start(**TINY).url) as client:
        results = await asyncio.gather(*(client.start(durationInFrames=1) for _ in range(50)))
        assert Counter(result["__typename"] for result in results) == {
            "StartRenderSuccess": 5,
            "RenderQuotaExceeded": 45,
        }
        started = [result for result in results if result["__typename"] == "StartRenderSuccess"]
        assert sorted(result["quota"]["remaining"] for result in started) == [0, 1, 2, 3, 4]
        for result in started:
            await client.until(result["render"]["id"], status="COMPLETE")
        assert len(await client.list_renders(first=100)) == 5
        assert await client.quota_used() == 5


async def test_twenty_concurrent_starts_with_one_key_give_one_render_even_after_a_restart(
    start: Start,
) -> None:
    first = start(**TINY)
    async with open_client(first.url) as client:
        results = await asyncio.gather(*(client.start(durationInFrames=1, key="once") for _ in range(20)))
        (render_id,) = {result["render"]["id"] for result in results}
        assert Counter(result["duplicate"] for result in results) == {False: 1, True: 19}
        assert await client.quota_used() == 1
        await client.until(render_id, status="COMPLETE")
    first.end()
    async with open_client(start(**TINY).url) as client:
        again = await client.start(durationInFrames=1, key="once")
        assert (again["duplicate"], again["render"]["id"]) == (True, render_id)
        assert len(await client.list_renders()) == 1
        assert await client.quota_used() == 1
