"""All mutations except startRender, over HTTP."""

import asyncio
from datetime import datetime

import pytest

from tests.support.api_client import (
    CANCEL,
    DELETE,
    GET,
    NODE,
    REFRESH,
    RETRY,
    Client,
)
from tests.support.api_site import CAPACITY
from tests.support.fake_backend import FakeBackend

pytestmark = pytest.mark.asyncio(loop_scope="module")

UNKNOWN_ID = "01hzzzzzzzzzzzzzzzzzzzzzzz"
UNKNOWN_IDS = [
    UNKNOWN_ID,
    UNKNOWN_ID.upper(),
    "",
    " ",
    "0",
    "null",
    "\ud800",
    "\udfff\ud800",
    "\x00",
    f"{UNKNOWN_ID}\x00",
    f"{UNKNOWN_ID}\n",
    "x" * 10_000,
    "' OR 1=1 --",
    "%",
    "../../etc/passwd",
    "٠" * 26,
    "8" * 26,
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢",
]


async def failed(client: Client, backend: FakeBackend) -> str:
    """Return the id of a new render that has FAILED."""
    render_id = await client.start_render()
    await client.until(render_id, status="RENDERING")
    backend.break_down(render_id, retryable=False, code="COMPOSITION_ERROR")
    await client.until(render_id, status="FAILED")
    return render_id


async def complete(client: Client, backend: FakeBackend) -> str:
    """Return the id of a new render that is COMPLETE."""
    render_id = await client.start_render()
    await client.until(render_id, status="RENDERING")
    backend.finish(render_id)
    await client.until(render_id, status="COMPLETE")
    return render_id


# Ids


@pytest.mark.parametrize("render_id", UNKNOWN_IDS, ids=lambda value: ascii(value)[:24])
async def test_an_unknown_id_is_not_found_by_any_operation(ann: Client, render_id: str) -> None:
    assert await ann.execute(GET, id=render_id) is None
    assert await ann.execute(NODE, id=render_id) is None
    for mutation in (REFRESH, CANCEL, RETRY, DELETE):
        assert await ann.execute(mutation, id=render_id) == {
            "__typename": "RenderNotFound",
            "message": "Render not found",
        }


async def test_another_users_render_is_not_found_by_any_operation(
    ann: Client, bob: Client, backend: FakeBackend
) -> None:
    render_id = await complete(ann, backend)
    assert await bob.execute(GET, id=render_id) is None
    assert await bob.execute(NODE, id=render_id) is None
    for mutation in (REFRESH, CANCEL, RETRY, DELETE):
        assert await bob.execute(mutation, id=render_id) == {
            "__typename": "RenderNotFound",
            "message": "Render not found",
        }
    assert await bob.list_renders() == []
    assert (await ann.execute(GET, id=render_id))["status"] == "COMPLETE"


async def test_an_id_of_another_type_is_a_graphql_error(ann: Client) -> None:
    wrong_ids: list[object] = [[], {}, 1.5, None]
    for wrong in wrong_ids:
        error = await ann.error(GET, id=wrong)
        assert error["extensions"] == {"code": "BAD_USER_INPUT"}


# refreshDownloadUrl


async def test_a_complete_render_gets_a_new_signed_url(ann: Client, backend: FakeBackend) -> None:
    render_id = await complete(ann, backend)
    result = await ann.execute(REFRESH, id=render_id)
    assert result["__typename"] == "DownloadUrl"
    assert result["url"].endswith(f"{render_id}.mp4")
    assert datetime.fromisoformat(result["expiresAt"]).tzinfo is not None
    assert result["render"]["outputUrl"] == result["url"]
    assert result["render"]["outputSizeBytes"] == 1000


async def test_an_unfinished_or_failed_render_has_no_url(ann: Client, backend: FakeBackend) -> None:
    await backend.stop_starting()
    render_id = await ann.start_render()
    for status in ("QUEUED", "RENDERING", "FAILED"):
        render = await ann.until(render_id, status=status)
        assert (render["outputUrl"], render["outputUrlExpiresAt"], render["outputSizeBytes"]) == (None, None, None)
        assert (render["posterUrl"], render["posterUrlExpiresAt"]) == (None, None)
        result = await ann.execute(REFRESH, id=render_id)
        assert (result["__typename"], result["message"]) == ("RenderNotComplete", "Render not complete")
        assert result["render"]["status"] == status
        backend.capacity = CAPACITY
        if status == "RENDERING":
            backend.break_down(render_id, retryable=False)


async def test_a_video_removed_from_storage_is_reported_as_gone(ann: Client, backend: FakeBackend) -> None:
    render_id = await complete(ann, backend)
    backend.outputs.clear()
    result = await ann.execute(REFRESH, id=render_id)
    assert result["__typename"] == "OutputGone"
    assert result["message"]


# cancelRender


async def test_a_queued_render_is_cancelled_at_once_and_its_quota_returned(ann: Client, backend: FakeBackend) -> None:
    await backend.stop_starting()
    render_id = await ann.start_render()
    assert await ann.quota_used() == 1
    result = await ann.execute(CANCEL, id=render_id)
    assert result["__typename"] == "CancelRenderSuccess"
    assert (result["render"]["status"], result["render"]["cancelRequested"]) == ("CANCELLED", True)
    assert (result["render"]["startedAt"], result["render"]["queuePosition"]) == (None, None)
    assert result["render"]["completedAt"] is not None
    assert await ann.quota_used() == 0


async def test_a_running_render_is_stopped_by_its_worker_and_uses_its_quota(ann: Client, backend: FakeBackend) -> None:
    render_id = await ann.start_render()
    await ann.until(render_id, status="RENDERING")
    result = await ann.execute(CANCEL, id=render_id)
    assert result["__typename"] == "CancelRenderSuccess"
    assert result["render"]["cancelRequested"] is True
    render = await ann.until(render_id, status="CANCELLED")
    assert (render["error"], render["phase"], render["outputUrl"]) == (None, None, None)
    assert render_id in backend.stopped
    assert await ann.quota_used() == 1


async def test_twenty_cancellations_at_once_end_the_render_once(ann: Client, backend: FakeBackend) -> None:
    render_id = await ann.start_render()
    await ann.until(render_id, status="RENDERING")
    results = await asyncio.gather(*(ann.execute(CANCEL, id=render_id) for _ in range(20)))
    assert {result["__typename"] for result in results} <= {"CancelRenderSuccess", "RenderAlreadyFinished"}
    assert results[0]["__typename"] == "CancelRenderSuccess"
    await ann.until(render_id, status="CANCELLED")
    assert backend.stopped.count(render_id) == 1


async def test_an_ended_render_cant_be_cancelled(ann: Client, backend: FakeBackend) -> None:
    for ended in (await complete(ann, backend), await failed(ann, backend)):
        before = await ann.execute(GET, id=ended)
        result = await ann.execute(CANCEL, id=ended)
        assert result["__typename"] == "RenderAlreadyFinished"
        assert before["status"].lower() in result["message"]
        assert result["render"] == before


# retryRender


@pytest.mark.parametrize("first_end", ["FAILED", "CANCELLED"])
async def test_a_failed_or_cancelled_render_is_retried_as_a_new_one(
    ann: Client, backend: FakeBackend, first_end: str
) -> None:
    old_id = await ann.start_render(generation_id="g", text="Again")
    await ann.until(old_id, status="RENDERING")
    if first_end == "FAILED":
        backend.break_down(old_id, retryable=False, code="COMPOSITION_ERROR")
    else:
        await ann.execute(CANCEL, id=old_id)
    old = await ann.until(old_id, status=first_end)
    result = await ann.execute(RETRY, id=old_id)
    assert (result["__typename"], result["duplicate"]) == ("StartRenderSuccess", False)
    new = result["render"]
    assert new["id"] != old_id
    assert (new["status"], new["generationId"], new["animationProps"]) == ("QUEUED", "g", old["animationProps"])
    assert result["quota"]["remaining"] == 3
    assert await ann.execute(GET, id=old_id) == old


async def test_repeated_retries_return_one_render(ann: Client, backend: FakeBackend) -> None:
    render_id = await failed(ann, backend)
    results = await asyncio.gather(*(ann.execute(RETRY, id=render_id) for _ in range(10)))
    assert {result["render"]["id"] for result in results} == {results[0]["render"]["id"]}
    assert sorted(result["duplicate"] for result in results) == [False, *[True] * 9]
    assert await ann.quota_used() == 2
    assert len(await ann.list_renders()) == 2


async def test_a_failed_retry_can_be_retried(ann: Client, backend: FakeBackend) -> None:
    first = await failed(ann, backend)
    second = (await ann.execute(RETRY, id=first))["render"]["id"]
    await ann.until(second, status="RENDERING")
    backend.break_down(second, retryable=False)
    await ann.until(second, status="FAILED")
    third = (await ann.execute(RETRY, id=second))["render"]["id"]
    assert len({first, second, third}) == 3


async def test_a_retry_needs_quota(ann: Client, backend: FakeBackend) -> None:
    render_id = await failed(ann, backend)
    for _ in range(4):
        await ann.start_render()
    result = await ann.execute(RETRY, id=render_id)
    assert (result["__typename"], result["quota"]["remaining"]) == ("RenderQuotaExceeded", 0)


async def test_a_render_that_runs_or_is_complete_cant_be_retried(ann: Client, backend: FakeBackend) -> None:
    await backend.stop_starting()
    render_id = await ann.start_render()
    for status in ("QUEUED", "RENDERING", "COMPLETE"):
        await ann.until(render_id, status=status)
        result = await ann.execute(RETRY, id=render_id)
        assert (result["__typename"], result["render"]["status"]) == ("RenderNotRetryable", status)
        assert status.lower() in result["message"]
        backend.capacity = CAPACITY
        if status == "RENDERING":
            backend.finish(render_id)
    assert await ann.quota_used() == 1


# deleteRender


async def test_an_ended_render_and_its_video_are_deleted_and_its_quota_stays_used(
    ann: Client, backend: FakeBackend
) -> None:
    render_id = await complete(ann, backend)
    assert await ann.execute(DELETE, id=render_id) == {"__typename": "DeleteRenderSuccess", "renderId": render_id}
    assert await ann.execute(GET, id=render_id) is None
    assert await ann.execute(DELETE, id=render_id) == {"__typename": "RenderNotFound", "message": "Render not found"}
    assert f"{render_id}.mp4" not in backend.outputs
    assert await ann.list_renders() == []
    assert await ann.quota_used() == 1


async def test_a_render_that_has_not_ended_cant_be_deleted(ann: Client, backend: FakeBackend) -> None:
    await backend.stop_starting()
    render_id = await ann.start_render()
    for status in ("QUEUED", "RENDERING"):
        await ann.until(render_id, status=status)
        result = await ann.execute(DELETE, id=render_id)
        assert (result["__typename"], result["render"]["status"]) == ("RenderNotFinished", status)
        backend.capacity = CAPACITY
    assert await ann.execute(GET, id=render_id) is not None


async def test_a_failed_render_has_an_error_that_says_whether_to_retry(ann: Client, backend: FakeBackend) -> None:
    render = await ann.execute(GET, id=await failed(ann, backend))
    assert render["error"] == {"code": "COMPOSITION_ERROR", "message": "It broke.", "retryable": False}
    assert (render["progress"], render["outputUrl"]) == (0, None)
    assert render["startedAt"] <= render["completedAt"]
