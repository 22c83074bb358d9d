"""All queries but `renders`, over HTTP."""

from datetime import datetime

import pytest

from tests.support.api_client import CANCEL, GET, NODE, QUOTA_LEFT, Client
from tests.support.api_site import Site
from tests.support.fake_backend import FakeBackend

pytestmark = pytest.mark.asyncio(loop_scope="module")


# render, node


async def test_a_render_is_the_same_in_all_queries(ann: Client, backend: FakeBackend) -> None:
    backend.capacity = 0
    render_id = await ann.start_render()
    render = await ann.execute(GET, id=render_id)
    assert await ann.execute(NODE, id=render_id) == {"__typename": "Render", **render}
    assert await ann.list_renders() == [render]


async def test_the_queue_position_counts_the_earlier_renders_of_all_users(
    ann: Client, bob: Client, backend: FakeBackend
) -> None:
    backend.capacity = 0
    first = await ann.start_render()
    second = await bob.start_render()
    third = await ann.start_render()
    positions = [(await client.execute(GET, id=id_))["queuePosition"] for client, id_ in ((ann, first), (bob, second))]
    assert positions[1] > positions[0] >= 1
    await bob.execute(CANCEL, id=second)
    assert (await bob.execute(GET, id=second))["queuePosition"] is None
    assert (await ann.execute(GET, id=third))["queuePosition"] == positions[0] + 1


async def test_progress_never_decreases_and_is_100_only_when_complete(ann: Client, backend: FakeBackend) -> None:
    render_id = await ann.start_render()
    for frames, percent in ((1, 1), (45, 50), (30, 50), (89, 98), (90, 99)):
        await ann.until(render_id, status="RENDERING")
        backend.progress(render_id, frames)
        render = await ann.until(render_id, progress=percent)
        assert render["status"] == "RENDERING"
    backend.finish(render_id)
    render = await ann.until(render_id, status="COMPLETE")
    assert (render["progress"], render["framesRendered"], render["costUsd"]) == (100, 90, 0.01)


# renderQuota, renderLimits


async def test_reading_the_quota_uses_none_of_it(site: Site, ann: Client) -> None:
    quotas = [await ann.execute(QUOTA_LEFT) for _ in range(10)]
    assert quotas == [quotas[0]] * 10
    assert (quotas[0]["limit"], quotas[0]["remaining"], quotas[0]["windowSeconds"]) == (5, 5, 3600)
    assert datetime.fromisoformat(quotas[0]["resetsAt"]) > site.clock.now()


async def test_the_limits_are_the_enforced_ones(ann: Client) -> None:
    limits = await ann.execute(
        "{ renderLimits { maxDurationSeconds maxDurationInFrames fps maxTextLength minFontSize maxFontSize } }"
    )
    assert limits == {
        "maxDurationSeconds": 20,
        "maxDurationInFrames": 600,
        "fps": 30,
        "maxTextLength": 500,
        "minFontSize": 8.0,
        "maxFontSize": 500.0,
    }
    for value in (limits["minFontSize"], limits["maxFontSize"]):
        assert (await ann.start(fontSize=value))["__typename"] == "StartRenderSuccess"
    for value in (limits["minFontSize"] - 0.01, limits["maxFontSize"] + 0.01):
        assert (await ann.start(fontSize=value))["__typename"] == "InvalidAnimation"
    assert (await ann.start(text="𝔁" * limits["maxTextLength"]))["__typename"] == "StartRenderSuccess"
