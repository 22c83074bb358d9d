"""All queries, over HTTP."""

import base64
import hashlib

import pytest

from tests.support.api_client import CANCEL, GET, LIST, NODE, QUOTA_LEFT, Client
from tests.support.api_site import CAPACITY, Site
from tests.support.fake_backend import FakeBackend

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def start_five(client: Client, **given: str) -> list[str]:
    """Return the ids of five new renders, newest first."""
    return [await client.start_render(**given) for _ in range(5)][::-1]


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


# renders


async def test_paging_returns_each_render_once_newest_first(ann: Client) -> None:
    ids = await start_five(ann)
    for size in (1, 2, 3, 5, 100):
        seen, after, pages = [], None, 0
        while True:
            page = await ann.execute(LIST, first=size, after=after)
            assert page["pageInfo"]["hasPreviousPage"] is (pages > 0)
            assert page["pageInfo"]["startCursor"] == page["edges"][0]["cursor"]
            assert page["pageInfo"]["endCursor"] == page["edges"][-1]["cursor"]
            seen += [edge["node"]["id"] for edge in page["edges"]]
            pages += 1
            if not page["pageInfo"]["hasNextPage"]:
                break
            after = page["pageInfo"]["endCursor"]
        assert (seen, pages) == (ids, -(-5 // size))


async def test_a_page_has_at_most_twenty_renders_by_default(ann: Client) -> None:
    ids = await start_five(ann)
    page = await ann.execute("{ renders { edges { node { id } } pageInfo { hasNextPage } } }")
    assert [edge["node"]["id"] for edge in page["edges"]] == ids
    assert page["pageInfo"]["hasNextPage"] is False


async def test_an_empty_list_has_no_cursors(ann: Client) -> None:
    assert await ann.execute(LIST) == {
        "edges": [],
        "pageInfo": {"hasNextPage": False, "hasPreviousPage": False, "startCursor": None, "endCursor": None},
    }


async def test_the_page_after_the_last_render_is_empty_and_has_a_previous_page(ann: Client) -> None:
    await start_five(ann)
    last = (await ann.execute(LIST))["pageInfo"]["endCursor"]
    page = await ann.execute(LIST, after=last)
    assert page["edges"] == []
    assert (page["pageInfo"]["hasNextPage"], page["pageInfo"]["hasPreviousPage"]) == (False, True)


async def test_new_renders_do_not_shift_the_next_page(ann: Client) -> None:
    old = [await ann.start_render() for _ in range(3)][::-1]
    page = await ann.execute(LIST, first=1)
    await ann.start_render()
    rest = await ann.execute(LIST, after=page["pageInfo"]["endCursor"])
    assert [edge["node"]["id"] for edge in rest["edges"]] == old[1:]


async def test_filters_by_status_and_generation_id(ann: Client, backend: FakeBackend) -> None:
    done = [await ann.start_render(generation_id=name) for name in ("a", "b")]
    for render_id in done:
        await ann.until(render_id, status="RENDERING")
        backend.finish(render_id)
        await ann.until(render_id, status="COMPLETE")
    backend.capacity = 0
    queued = [await ann.start_render(generation_id=name) for name in ("a", "b")]

    async def found(**filter_: object) -> list[str]:
        return [render["id"] for render in await ann.list_renders(filter=filter_)]

    assert await found(status=["COMPLETE"]) == done[::-1]
    assert await found(status=["QUEUED", "COMPLETE"]) == [*queued[::-1], *done[::-1]]
    assert await found(generationId="a") == [queued[0], done[0]]
    assert await found(generationId="a", status=["QUEUED"]) == [queued[0]]
    assert await found(status=["FAILED"]) == await found(status=[]) == await found(generationId="' OR 1=1 --") == []
    assert await found() == await found(status=None, generationId=None) == [*queued[::-1], *done[::-1]]
    backend.capacity = CAPACITY


async def test_a_cursor_works_in_a_filtered_list(ann: Client, backend: FakeBackend) -> None:
    backend.capacity = 0
    for name in ("a", "b", "a", "b"):
        await ann.start_render(generation_id=name)
    page = await ann.execute(LIST, first=1, filter={"generationId": "b"})
    rest = await ann.execute(LIST, after=page["pageInfo"]["endCursor"], filter={"generationId": "b"})
    assert [edge["node"]["generationId"] for edge in rest["edges"]] == ["b"]
    assert rest["pageInfo"]["hasPreviousPage"] is True
    newest = await ann.execute(LIST, first=1)
    of_a = await ann.execute(LIST, after=newest["pageInfo"]["endCursor"], filter={"generationId": "a"})
    assert [edge["node"]["generationId"] for edge in of_a["edges"]] == ["a", "a"]
    assert of_a["pageInfo"]["hasPreviousPage"] is False


@pytest.mark.parametrize("first", [0, -1, 101, 2**31 - 1, -(2**31)])
async def test_a_page_size_out_of_range_is_rejected(ann: Client, first: int) -> None:
    error = await ann.error(LIST, first=first)
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "first"}
    assert "1 to 100" in error["message"]


async def test_page_sizes_from_one_to_a_hundred_are_accepted(ann: Client) -> None:
    for first in (1, 100):
        assert await ann.list_renders(first=first) == []


def invalid_cursors(cursor: str) -> list[str]:
    """Return cursors that are malformed or forged."""
    render_id = base64.urlsafe_b64decode(cursor + "==")[6:]
    forged = hashlib.sha256(b"somebody\n" + render_id).digest()[:6] + render_id
    swapped = cursor[:-1] + ("A" if cursor[-1] != "A" else "B")
    return [
        "",
        " ",
        "=",
        "0",
        "AAAA",
        cursor[:-1],
        cursor[1:],
        cursor + "A",
        cursor + "=",
        cursor + "\n",
        f" {cursor}",
        f"{cursor[:9]}\n{cursor[9:]}",
        f"{cursor[:9]}!{cursor[9:]}",
        swapped,
        cursor.swapcase(),
        render_id.decode(),
        base64.urlsafe_b64encode(render_id).decode(),
        base64.urlsafe_b64encode(forged).decode(),
        "\ud800",
        "\x00",
        f"{cursor}\x00",
        "Ａ" * 43,
        "x" * 10_000,
        "' OR 1=1 --",
    ]


async def test_a_modified_cursor_is_rejected(ann: Client) -> None:
    await start_five(ann)
    cursor = (await ann.execute(LIST, first=2))["pageInfo"]["endCursor"]
    for wrong in invalid_cursors(cursor):
        error = await ann.error(LIST, after=wrong)
        assert (wrong, error["extensions"]) == (wrong, {"code": "BAD_USER_INPUT", "field": "after"})
    assert len(await ann.list_renders(after=cursor)) == 3


async def test_another_users_cursor_is_rejected(ann: Client, bob: Client) -> None:
    await start_five(ann)
    cursor = (await ann.execute(LIST, first=2))["pageInfo"]["endCursor"]
    error = await bob.error(LIST, after=cursor)
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "after"}


@pytest.mark.parametrize("value", ["\ud800", "\x00", "a\x1b"])
async def test_a_generation_id_with_control_characters_is_rejected(ann: Client, value: str) -> None:
    error = await ann.error(LIST, filter={"generationId": value})
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "generationId"}


# renderQuota, renderLimits


async def test_reading_the_quota_uses_none_of_it(site: Site, ann: Client) -> None:
    quotas = [await ann.execute(QUOTA_LEFT) for _ in range(10)]
    assert quotas == [quotas[0]] * 10
    assert (quotas[0]["limit"], quotas[0]["remaining"], quotas[0]["windowSeconds"]) == (5, 5, 3600)
    assert quotas[0]["resetsAt"] > site.clock.now().isoformat()


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
