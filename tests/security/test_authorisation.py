"""Renders of other users: every response about one is byte for byte that about an unknown id."""

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
)
from tests.support.api_server import rewired, serve
from tests.support.api_stream import open_stream
from tests.support.fake_backend import FakeBackend

pytestmark = pytest.mark.asyncio(loop_scope="module")

Calls = list[tuple[str, object]]
BY_ID = {"render": GET, "node": NODE, "cancel": CANCEL, "delete": DELETE, "refresh": REFRESH, "retry": RETRY}


class RecordingStore:
    """A store that records the calls with an owner: method and owner."""

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
    store: RecordingStore
    services: Services
    renders: dict[str, str]  # ids of Ann's renders by status


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    limits = {"quota_limit": 50, "max_mutations_per_minute": 10_000}
    settings = load_settings(data_dir=tmp_path_factory.mktemp("data"), acquire_interval_s=0.05, **limits)
    async with open_embedded(settings) as services:
        store, backend = RecordingStore(services.store), FakeBackend(capacity=1000)
        faked = rewired(services, store=cast("RenderStore", store), backend=backend, clock=SystemClock())
        async with serve(faked) as url, open_client(url) as http:
            ann, bob = Client(http.http, user="ann"), Client(http.http, user="bob")
            renders = await start_one_per_status(ann, backend)
            yield Site(ann=ann, bob=bob, store=store, services=faked, renders=renders)


async def start_one_per_status(client: Client, backend: FakeBackend) -> dict[str, str]:
    """Start a render per status and return the ids by status; the renders no longer change."""
    ids = {status: await client.start_render() for status in ("COMPLETE", "FAILED", "CANCELLED", "RENDERING")}
    for render_id in ids.values():
        await client.until(render_id, status="RENDERING")
    backend.finish(ids["COMPLETE"])
    backend.break_down(ids["FAILED"], retryable=False)
    await client.execute(CANCEL, id=ids["CANCELLED"])
    await backend.stop_starting()
    for status, render_id in ids.items():
        await client.until(render_id, status=status)
    return {**ids, "QUEUED": await client.start_render()}


async def response_and_calls(site: Site, client: Client, document: str, **variables: object) -> tuple[bytes, Calls]:
    """Return the response as bytes, including headers, and the store calls that it caused."""
    site.store.calls.clear()
    body = {"query": document, "variables": variables}
    response = await client.http.post("/graphql", json=body, headers={"X-User": str(client.user)})
    return as_bytes(response), list(site.store.calls)


def as_bytes(response: httpx.Response) -> bytes:
    headers = [header for header in response.headers.raw if header[0].lower() not in {b"date", b"x-request-id"}]
    return repr((response.status_code, headers)).encode() + response.content


async def first_message(site: Site, client: Client, document: str, **variables: object) -> tuple[str, Calls]:
    """Return the first message of a subscription, and the store calls that it caused."""
    site.store.calls.clear()
    async with open_stream(client) as stream:
        await stream.subscribe(document, "1", **variables)
        return str(await stream.connection.recv()), list(site.store.calls)


def unknown_id() -> str:
    return new_render_id(SystemClock().now())


@pytest.mark.parametrize("status", ["QUEUED", "RENDERING", "COMPLETE", "FAILED", "CANCELLED"])
@pytest.mark.parametrize("operation", BY_ID)
async def test_another_users_render_gets_the_response_of_an_unknown_one(
    site: Site, operation: str, status: str
) -> None:
    document, render_id = BY_ID[operation], site.renders[status]
    before = await site.services.store.get(render_id, owner="ann")
    of_other_user = await response_and_calls(site, site.bob, document, id=render_id)
    assert of_other_user == await response_and_calls(site, site.bob, document, id=unknown_id())
    assert of_other_user[1] == [("get", "bob")]
    assert render_id.encode() not in of_other_user[0]
    assert await site.services.store.get(render_id, owner="ann") == before


@pytest.mark.parametrize("status", ["QUEUED", "RENDERING", "COMPLETE", "FAILED", "CANCELLED"])
async def test_a_subscription_to_another_users_render_gets_the_error_of_an_unknown_one(site: Site, status: str) -> None:
    render_id = site.renders[status]
    of_other_user = await first_message(site, site.bob, PROGRESS, id=render_id)
    assert of_other_user == await first_message(site, site.bob, PROGRESS, id=unknown_id())
    assert of_other_user[1] == [("get", "bob")]
    assert "NOT_FOUND" in of_other_user[0]
    assert json.loads((await first_message(site, site.ann, PROGRESS, id=render_id))[0])["payload"]["data"] is not None


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
async def test_modified_ids_find_nothing(site: Site, operation: str, guess: str) -> None:
    render_id = site.renders["COMPLETE"]
    guessed = guess.format(id=render_id, upper=render_id.upper(), cut=render_id[:-1])
    response, _ = await response_and_calls(site, site.bob, BY_ID[operation], id=guessed)
    assert response == (await response_and_calls(site, site.bob, BY_ID[operation], id=unknown_id()))[0]


async def test_similar_ids_find_nothing(site: Site) -> None:
    render_id = site.renders["COMPLETE"]
    for last in "0123456789abcdefghjkmnpqrstvwxyz":
        assert await site.bob.execute(NODE, id=render_id[:-1] + last) is None


async def test_list_and_quota_are_per_user(site: Site) -> None:
    carol = Client(site.ann.http, user="carol")
    assert await carol.list_renders(filter={"status": ["COMPLETE", "FAILED", "QUEUED"]}) == []
    assert await carol.quota_used() == 0
    assert len(await site.ann.list_renders()) == len(site.renders)


async def test_another_users_cursor_is_invalid(site: Site) -> None:
    page = await site.ann.execute(LIST, first=2)
    cursor = page["pageInfo"]["endCursor"]
    of_other_user, calls = await response_and_calls(site, site.bob, LIST, after=cursor)
    assert of_other_user == (await response_and_calls(site, site.bob, LIST, after="nonsense"))[0]
    assert calls == []


async def test_a_filter_by_another_users_generation_finds_nothing(site: Site) -> None:
    await site.ann.start(generation_id="ann's")
    of_other_user = await response_and_calls(site, site.bob, LIST, filter={"generationId": "ann's"})
    assert of_other_user == await response_and_calls(site, site.bob, LIST, filter={"generationId": "no-one"})


async def test_idempotency_keys_are_per_user(site: Site) -> None:
    ann, bob = [await client.start(key="the same key") for client in (site.ann, site.bob)]
    assert (ann["duplicate"], bob["duplicate"]) == (False, False)
    assert ann["render"]["id"] != bob["render"]["id"]


async def test_updates_of_other_users_are_not_received(site: Site) -> None:
    dave = Client(site.ann.http, user="dave")
    async with open_stream(dave) as stream:
        await stream.subscribe(UPDATES)
        await stream.send(type="ping")
        assert await stream.receive() == {"type": "pong"}
        await site.ann.execute(CANCEL, id=await site.ann.start_render())
        own = await dave.start_render()
        assert (await stream.next())["id"] == own


@pytest.mark.parametrize("user", ["Ann", "an", "annn", "*", "ann%", "ann_", "ann.*"])
async def test_similar_names_are_different_users(site: Site, user: str) -> None:
    assert await Client(site.ann.http, user=user).list_renders() == []


async def test_a_download_needs_its_signed_url(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path, text_width=64, text_height=64)
    async with open_embedded(settings) as services, serve(services) as url, open_client(url, user="ann") as ann:
        render_id = await ann.start_render(durationInFrames=1)
        render = await ann.until(render_id, status="COMPLETE")
        signed = render["outputUrl"].partition("?")[2]
        path = f"/files/{render_id}.mp4"
        assert (await ann.http.get(f"{path}?{signed}")).status_code == 200
        for query in ("", "?expires=9999999999", f"?{signed}0", f"?{signed.replace('expires=', 'expires=9')}"):
            existing, unknown = [await ann.http.get(f"/files/{name}.mp4{query}") for name in (render_id, unknown_id())]
            assert existing.status_code == 404
            assert as_bytes(existing) == as_bytes(unknown)
        assert (await ann.http.get(f"/files/{unknown_id()}.mp4?{signed}")).status_code == 404
