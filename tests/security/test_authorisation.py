"""Another's render is no render: every answer about it is, to the byte, the answer about one that never was."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
import pytest_asyncio

from services.clock import SystemClock
from services.ids import new_render_id
from services.ports import RenderStore
from services.runtime.adapters import open_embedded
from services.runtime.services import Services
from services.settings import load_settings
from tests.support.api_client import (
    CANCEL,
    DELETE,
    GET,
    LIST,
    NODE,
    PROGRESS,
    REFRESH,
    RETRY,
    UPDATES,
    Client,
    open_client,
    open_stream,
)
from tests.support.api_server import rewired, serve
from tests.support.fake_backend import FakeBackend

pytestmark = pytest.mark.asyncio(loop_scope="module")

Calls = list[tuple[str, object]]
BY_ID = {"render": GET, "node": NODE, "cancel": CANCEL, "delete": DELETE, "refresh": REFRESH, "retry": RETRY}


class WatchedStore:
    """A store that writes down what is asked in a user's name: which method, and whose renders."""

    def __init__(self, store: RenderStore) -> None:
        self.calls: Calls = []
        self._store = store

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._store, name)

        async def call(*given: Any, **named: Any) -> Any:
            if "owner" in named:
                self.calls.append((name, named["owner"]))
            return await method(*given, **named)

        return call


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    ann: Client
    bob: Client
    store: WatchedStore
    services: Services
    renders: dict[str, str]  # Ann's, one for each status


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    limits = {"quota_limit": 50, "max_mutations_per_minute": 10_000}
    settings = load_settings(data_dir=tmp_path_factory.mktemp("data"), acquire_interval_s=0.05, **limits)
    async with open_embedded(settings) as services:
        store, backend = WatchedStore(services.store), FakeBackend(capacity=1000)
        faked = rewired(services, store=cast("RenderStore", store), backend=backend, clock=SystemClock())
        async with serve(faked) as url, open_client(url) as http:
            ann, bob = Client(http.http, user="ann"), Client(http.http, user="bob")
            renders = await one_of_each(ann, backend)
            yield Site(ann=ann, bob=bob, store=store, services=faked, renders=renders)


async def one_of_each(client: Client, backend: FakeBackend) -> dict[str, str]:
    """Return the ids of renders by their status; none of them changes any more."""
    ids = {status: await client.started() for status in ("COMPLETE", "FAILED", "CANCELLED", "RENDERING")}
    for render_id in ids.values():
        await client.until(render_id, status="RENDERING")
    backend.finish(ids["COMPLETE"])
    backend.break_down(ids["FAILED"], retryable=False)
    await client.ask(CANCEL, id=ids["CANCELLED"])
    backend.capacity = 0
    for status, render_id in ids.items():
        await client.until(render_id, status=status)
    return {**ids, "QUEUED": await client.started()}


async def answer(site: Site, client: Client, document: str, **variables: object) -> tuple[bytes, Calls]:
    """Return the answer as it came, headers included, and what the store was asked for it."""
    site.store.calls.clear()
    body = {"query": document, "variables": variables}
    response = await client.http.post("/graphql", json=body, headers={"X-User": str(client.user)})
    return as_it_came(response), list(site.store.calls)


def as_it_came(response: httpx.Response) -> bytes:
    headers = [header for header in response.headers.raw if header[0].lower() not in {b"date", b"x-request-id"}]
    return repr((response.status_code, headers)).encode() + response.content


async def told(site: Site, client: Client, document: str, **variables: object) -> tuple[str, Calls]:
    """Return what a subscriber is told first, as it came, and what the store was asked for it."""
    site.store.calls.clear()
    async with open_stream(client) as stream:
        await stream.subscribe(document, "1", **variables)
        return str(await stream.connection.recv()), list(site.store.calls)


def unknown_id() -> str:
    return new_render_id(SystemClock().now())


@pytest.mark.parametrize("status", ["QUEUED", "RENDERING", "COMPLETE", "FAILED", "CANCELLED"])
@pytest.mark.parametrize("operation", BY_ID)
async def test_anothers_render_is_answered_as_none_and_read_as_none(site: Site, operation: str, status: str) -> None:
    document, render_id = BY_ID[operation], site.renders[status]
    before = await site.services.store.get(render_id, owner="ann")
    anothers = await answer(site, site.bob, document, id=render_id)
    assert anothers == await answer(site, site.bob, document, id=unknown_id())
    assert anothers[1] == [("get", "bob")]
    assert render_id.encode() not in anothers[0]
    assert await site.services.store.get(render_id, owner="ann") == before


@pytest.mark.parametrize("status", ["QUEUED", "RENDERING", "COMPLETE", "FAILED", "CANCELLED"])
async def test_anothers_render_is_watched_as_none(site: Site, status: str) -> None:
    render_id = site.renders[status]
    anothers = await told(site, site.bob, PROGRESS, id=render_id)
    assert anothers == await told(site, site.bob, PROGRESS, id=unknown_id())
    assert anothers[1] == [("get", "bob")]
    assert "NOT_FOUND" in anothers[0]
    assert json.loads((await told(site, site.ann, PROGRESS, id=render_id))[0])["payload"]["data"] is not None


@pytest.mark.parametrize(
    "guess",
    [
        "{upper}",
        " {id}",
        "{id}\0",
        "{cut}",
        "ann/{id}",
        "ann {id}",
        "' OR owner = 'ann",
        '{{"$ne": ""}}',
        "%",
        "",
        "*" * 9999,
    ],
)
@pytest.mark.parametrize("operation", BY_ID)
async def test_a_guess_finds_nothing(site: Site, operation: str, guess: str) -> None:
    render_id = site.renders["COMPLETE"]
    guessed = guess.format(id=render_id, upper=render_id.upper(), cut=render_id[:-1])
    answered, _ = await answer(site, site.bob, BY_ID[operation], id=guessed)
    assert answered == (await answer(site, site.bob, BY_ID[operation], id=unknown_id()))[0]


async def test_neighbours_of_an_id_are_nobodys(site: Site) -> None:
    render_id = site.renders["COMPLETE"]
    for last in "0123456789abcdefghjkmnpqrstvwxyz":
        assert await site.bob.ask(NODE, id=render_id[:-1] + last) is None


async def test_a_list_and_a_quota_are_ones_own(site: Site) -> None:
    carol = Client(site.ann.http, user="carol")
    assert await carol.listed(filter={"status": ["COMPLETE", "FAILED", "QUEUED"]}) == []
    assert await carol.quota_used() == 0
    assert len(await site.ann.listed()) == len(site.renders)


async def test_anothers_cursor_is_as_good_as_nonsense(site: Site) -> None:
    page = await site.ann.ask(LIST, first=2)
    cursor = page["pageInfo"]["endCursor"]
    anothers, calls = await answer(site, site.bob, LIST, after=cursor)
    assert anothers == (await answer(site, site.bob, LIST, after="nonsense"))[0]
    assert calls == []


async def test_anothers_generation_finds_nothing(site: Site) -> None:
    await site.ann.start(generation_id="ann's")
    anothers = await answer(site, site.bob, LIST, filter={"generationId": "ann's"})
    assert anothers == await answer(site, site.bob, LIST, filter={"generationId": "no-one"})


async def test_anothers_idempotency_key_is_free(site: Site) -> None:
    ann, bob = [await client.start(key="the same key") for client in (site.ann, site.bob)]
    assert (ann["duplicate"], bob["duplicate"]) == (False, False)
    assert ann["render"]["id"] != bob["render"]["id"]


async def test_nobody_is_told_of_anothers_changes(site: Site) -> None:
    dave = Client(site.ann.http, user="dave")
    async with open_stream(dave) as stream:
        await stream.subscribe(UPDATES)
        await stream.send(type="ping")
        assert await stream.receive() == {"type": "pong"}
        await site.ann.ask(CANCEL, id=await site.ann.started())
        own = await dave.started()
        assert (await stream.next())["id"] == own


@pytest.mark.parametrize("user", ["Ann", "an", "annn", "*", "ann%", "ann_", "ann.*"])
async def test_names_that_look_alike_are_other_users(site: Site, user: str) -> None:
    assert await Client(site.ann.http, user=user).listed() == []


async def test_a_download_is_only_for_whom_has_its_url(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path, text_width=64, text_height=64)
    async with open_embedded(settings) as services, serve(services) as url, open_client(url, user="ann") as ann:
        render_id = await ann.started(durationInFrames=1)
        render = await ann.until(render_id, status="COMPLETE")
        signed = render["outputUrl"].partition("?")[2]
        path = f"/files/{render_id}.mp4"
        assert (await ann.http.get(f"{path}?{signed}")).status_code == 200
        for query in ("", "?expires=9999999999", f"?{signed}0", f"?{signed.replace('expires=', 'expires=9')}"):
            theirs, none = [await ann.http.get(f"/files/{name}.mp4{query}") for name in (render_id, unknown_id())]
            assert theirs.status_code == 404
            assert as_it_came(theirs) == as_it_came(none)
        assert (await ann.http.get(f"/files/{unknown_id()}.mp4?{signed}")).status_code == 404
