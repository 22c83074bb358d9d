"""The query `renders`: pages, cursors and filters, over HTTP."""

import base64
import hashlib
import re
from typing import Any

import pytest

from tests.support.api_client import LIST, Client
from tests.support.api_site import CAPACITY
from tests.support.fake_backend import FakeBackend

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGE = """
query ($first: Int, $after: String, $last: Int, $before: String, $filter: RenderFilter) {
  renders(first: $first, after: $after, last: $last, before: $before, filter: $filter) {
    totalCount edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}
"""


async def start_five(client: Client, **given: str) -> list[str]:
    """Return the ids of five new renders, newest first."""
    return [await client.start_render(**given) for _ in range(5)][::-1]


def ids_of(page: dict[str, Any]) -> list[str]:
    return [edge["node"]["id"] for edge in page["edges"]]


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
    await backend.stop_starting()
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


@pytest.mark.parametrize("argument", ["batchId", "generationId"])
@pytest.mark.parametrize("value", ["\ud800", "a\x00"])
async def test_an_id_of_a_filter_has_no_control_characters(ann: Client, argument: str, value: str) -> None:
    error = await ann.error(LIST, filter={argument: value})
    assert error["message"] == f"`{argument}` must not contain control characters."
    assert error["extensions"]["code"] == "BAD_USER_INPUT"


async def test_a_cursor_works_in_a_filtered_list(ann: Client, backend: FakeBackend) -> None:
    await backend.stop_starting()
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


@pytest.mark.parametrize("size", [0, -1, 101, 2**31 - 1, -(2**31)])
@pytest.mark.parametrize("argument", ["first", "last"])
async def test_a_page_size_out_of_range_is_rejected(ann: Client, argument: str, size: int) -> None:
    error = await ann.error(PAGE, **{argument: size})
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": argument}
    assert "1 to 100" in error["message"]


async def test_first_and_last_together_are_rejected(ann: Client) -> None:
    error = await ann.error(PAGE, first=1, last=1)
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "last"}


async def test_page_sizes_from_one_to_a_hundred_are_accepted(ann: Client) -> None:
    for first in (1, 100):
        assert await ann.list_renders(first=first) == []


def invalid_cursors(cursor: str) -> list[str]:
    """Return cursors that are malformed or forged."""
    render_id = base64.urlsafe_b64decode(cursor + "==")[6:]
    forged = hashlib.sha256(b"somebody\n" + render_id).digest()[:6] + render_id
    swapped = cursor[:-1] + ("A" if cursor[-1] != "A" else "B")
    return [
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
        for argument in ("after", "before"):
            error = await ann.error(PAGE, **{argument: wrong})
            assert (wrong, error["extensions"]) == (wrong, {"code": "BAD_USER_INPUT", "field": argument})
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


@pytest.mark.parametrize("size", [1, 2, 5, 100])
async def test_paging_backwards_returns_each_render_once(ann: Client, size: int) -> None:
    ids = await start_five(ann)
    seen: list[str] = []
    before, has_previous = None, True
    while has_previous:
        page = await ann.execute(PAGE, last=size, before=before)
        assert page["pageInfo"]["hasNextPage"] is bool(seen)
        seen = ids_of(page) + seen
        before, has_previous = page["pageInfo"]["startCursor"], page["pageInfo"]["hasPreviousPage"]
    assert seen == ids


async def test_pages_between_two_cursors(ann: Client) -> None:
    ids = await start_five(ann)
    cursors = [edge["cursor"] for edge in (await ann.execute(PAGE))["edges"]]
    between = {"after": cursors[0], "before": cursors[4]}
    page = await ann.execute(PAGE, **between)
    assert (ids_of(page), page["totalCount"]) == (ids[1:4], 5)
    assert (page["pageInfo"]["hasPreviousPage"], page["pageInfo"]["hasNextPage"]) == (True, True)
    assert ids_of(await ann.execute(PAGE, first=1, **between)) == ids[1:2]
    assert ids_of(await ann.execute(PAGE, last=1, **between)) == ids[3:4]
    assert ids_of(await ann.execute(PAGE, before=cursors[2])) == ids[:2]
    assert ids_of(await ann.execute(PAGE, before=cursors[0])) == []


async def test_an_empty_cursor_is_the_same_as_none(ann: Client) -> None:
    ids = await start_five(ann)
    for arguments in ({"after": ""}, {"before": ""}, {"after": "", "before": ""}, {"first": None}):
        page = await ann.execute(PAGE, **arguments)
        assert (ids_of(page), page["pageInfo"]["hasPreviousPage"]) == (ids, False)


async def test_the_total_count_is_that_of_the_filtered_list_of_the_caller(ann: Client, bob: Client) -> None:
    await bob.start_render()
    for name in ("a", "b", "a"):
        await ann.start_render(generation_id=name)
    assert (await ann.execute(PAGE, first=1))["totalCount"] == 3
    assert (await ann.execute(PAGE, first=1, filter={"generationId": "a"}))["totalCount"] == 2
    assert (await ann.execute(PAGE, filter={"status": []}))["totalCount"] == 0


async def test_times_are_in_utc_with_milliseconds(ann: Client) -> None:
    await ann.start_render()
    [render] = await ann.list_renders()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", render["createdAt"])
