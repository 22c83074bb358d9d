"""Every query, over HTTP."""

import base64
import hashlib

import pytest

from tests.support.api_client import CANCEL, GET, LIST, NODE, QUOTA_LEFT, Client
from tests.support.api_site import CAPACITY, Site
from tests.support.fake_backend import FakeBackend

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def five(client: Client, **given: str) -> list[str]:
    """Return the ids of five new renders, newest first."""
    return [await client.started(**given) for _ in range(5)][::-1]


# render, node


async def test_a_render_is_the_same_however_it_is_read(ann: Client, backend: FakeBackend) -> None:
    backend.capacity = 0
    render_id = await ann.started()
    render = await ann.ask(GET, id=render_id)
    assert await ann.ask(NODE, id=render_id) == {"__typename": "Render", **render}
    assert await ann.listed() == [render]


async def test_the_queue_position_counts_everybodys_renders_that_are_before_it(
    ann: Client, bob: Client, backend: FakeBackend
) -> None:
    backend.capacity = 0
    first = await ann.started()
    second = await bob.started()
    third = await ann.started()
    positions = [(await client.ask(GET, id=id_))["queuePosition"] for client, id_ in ((ann, first), (bob, second))]
    assert positions[1] > positions[0] >= 1
    await bob.ask(CANCEL, id=second)
    assert (await bob.ask(GET, id=second))["queuePosition"] is None
    assert (await ann.ask(GET, id=third))["queuePosition"] == positions[0] + 1


async def test_progress_is_a_whole_percentage_that_never_goes_down_and_is_100_only_at_the_end(
    ann: Client, backend: FakeBackend
) -> None:
    render_id = await ann.started()
    for frames, percent in ((1, 1), (45, 50), (30, 50), (89, 98), (90, 99)):
        await ann.until(render_id, status="RENDERING")
        backend.progress(render_id, frames)
        render = await ann.until(render_id, progress=percent)
        assert render["status"] == "RENDERING"
    backend.finish(render_id)
    render = await ann.until(render_id, status="COMPLETE")
    assert (render["progress"], render["framesRendered"], render["costUsd"]) == (100, 90, 0.01)


# renders


async def test_pages_go_through_the_whole_list_once_newest_first(ann: Client) -> None:
    ids = await five(ann)
    for size in (1, 2, 3, 5, 100):
        seen, after, pages = [], None, 0
        while True:
            page = await ann.ask(LIST, first=size, after=after)
            assert page["pageInfo"]["hasPreviousPage"] is (pages > 0)
            assert page["pageInfo"]["startCursor"] == page["edges"][0]["cursor"]
            assert page["pageInfo"]["endCursor"] == page["edges"][-1]["cursor"]
            seen += [edge["node"]["id"] for edge in page["edges"]]
            pages += 1
            if not page["pageInfo"]["hasNextPage"]:
                break
            after = page["pageInfo"]["endCursor"]
        assert (seen, pages) == (ids, -(-5 // size))


async def test_a_list_without_arguments_has_twenty_at_most(ann: Client) -> None:
    ids = await five(ann)
    page = await ann.ask("{ renders { edges { node { id } } pageInfo { hasNextPage } } }")
    assert [edge["node"]["id"] for edge in page["edges"]] == ids
    assert page["pageInfo"]["hasNextPage"] is False


async def test_an_empty_list_has_no_cursors(ann: Client) -> None:
    assert await ann.ask(LIST) == {
        "edges": [],
        "pageInfo": {"hasNextPage": False, "hasPreviousPage": False, "startCursor": None, "endCursor": None},
    }


async def test_the_page_behind_the_last_render_is_empty_and_has_a_previous_one(ann: Client) -> None:
    await five(ann)
    last = (await ann.ask(LIST))["pageInfo"]["endCursor"]
    page = await ann.ask(LIST, after=last)
    assert page["edges"] == []
    assert (page["pageInfo"]["hasNextPage"], page["pageInfo"]["hasPreviousPage"]) == (False, True)


async def test_a_page_stays_where_it_was_when_renders_are_started_meanwhile(ann: Client) -> None:
    old = [await ann.started() for _ in range(3)][::-1]
    page = await ann.ask(LIST, first=1)
    await ann.started()
    rest = await ann.ask(LIST, after=page["pageInfo"]["endCursor"])
    assert [edge["node"]["id"] for edge in rest["edges"]] == old[1:]


async def test_a_list_can_be_filtered_by_status_and_by_generation_and_by_both(
    ann: Client, backend: FakeBackend
) -> None:
    done = [await ann.started(generation_id=name) for name in ("a", "b")]
    for render_id in done:
        await ann.until(render_id, status="RENDERING")
        backend.finish(render_id)
        await ann.until(render_id, status="COMPLETE")
    backend.capacity = 0
    queued = [await ann.started(generation_id=name) for name in ("a", "b")]

    async def found(**filter_: object) -> list[str]:
        return [render["id"] for render in await ann.listed(filter=filter_)]

    assert await found(status=["COMPLETE"]) == done[::-1]
    assert await found(status=["QUEUED", "COMPLETE"]) == [*queued[::-1], *done[::-1]]
    assert await found(generationId="a") == [queued[0], done[0]]
    assert await found(generationId="a", status=["QUEUED"]) == [queued[0]]
    assert await found(status=["FAILED"]) == await found(status=[]) == await found(generationId="' OR 1=1 --") == []
    assert await found() == await found(status=None, generationId=None) == [*queued[::-1], *done[::-1]]
    backend.capacity = CAPACITY


async def test_a_cursor_goes_on_in_a_filtered_list_too_and_knows_what_is_before_it(
    ann: Client, backend: FakeBackend
) -> None:
    backend.capacity = 0
    for name in ("a", "b", "a", "b"):
        await ann.started(generation_id=name)
    page = await ann.ask(LIST, first=1, filter={"generationId": "b"})
    rest = await ann.ask(LIST, after=page["pageInfo"]["endCursor"], filter={"generationId": "b"})
    assert [edge["node"]["generationId"] for edge in rest["edges"]] == ["b"]
    assert rest["pageInfo"]["hasPreviousPage"] is True
    newest = await ann.ask(LIST, first=1)
    of_a = await ann.ask(LIST, after=newest["pageInfo"]["endCursor"], filter={"generationId": "a"})
    assert [edge["node"]["generationId"] for edge in of_a["edges"]] == ["a", "a"]
    assert of_a["pageInfo"]["hasPreviousPage"] is False


@pytest.mark.parametrize("first", [0, -1, 101, 2**31 - 1, -(2**31)])
async def test_a_page_of_no_or_too_many_renders_is_refused(ann: Client, first: int) -> None:
    error = await ann.error(LIST, first=first)
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "first"}
    assert "1 to 100" in error["message"]


async def test_one_and_a_hundred_renders_may_be_asked_for(ann: Client) -> None:
    for first in (1, 100):
        assert await ann.listed(first=first) == []


def cursors_of_nothing(cursor: str) -> list[str]:
    """Return what may be made of a cursor by accident or on purpose."""
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


async def test_a_cursor_that_was_tampered_with_is_refused(ann: Client) -> None:
    await five(ann)
    cursor = (await ann.ask(LIST, first=2))["pageInfo"]["endCursor"]
    for wrong in cursors_of_nothing(cursor):
        error = await ann.error(LIST, after=wrong)
        assert (wrong, error["extensions"]) == (wrong, {"code": "BAD_USER_INPUT", "field": "after"})
    assert len(await ann.listed(after=cursor)) == 3


async def test_another_users_cursor_is_refused(ann: Client, bob: Client) -> None:
    await five(ann)
    cursor = (await ann.ask(LIST, first=2))["pageInfo"]["endCursor"]
    error = await bob.error(LIST, after=cursor)
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "after"}


@pytest.mark.parametrize("value", ["\ud800", "\x00", "a\x1b"])
async def test_a_generation_id_that_no_render_can_have_is_refused(ann: Client, value: str) -> None:
    error = await ann.error(LIST, filter={"generationId": value})
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "generationId"}


# renderQuota, renderLimits


async def test_reading_the_quota_takes_nothing_of_it(site: Site, ann: Client) -> None:
    quotas = [await ann.ask(QUOTA_LEFT) for _ in range(10)]
    assert quotas == [quotas[0]] * 10
    assert (quotas[0]["limit"], quotas[0]["remaining"], quotas[0]["windowSeconds"]) == (5, 5, 3600)
    assert quotas[0]["resetsAt"] > site.clock.now().isoformat()


async def test_the_limits_are_those_that_are_enforced(ann: Client) -> None:
    limits = await ann.ask(
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
