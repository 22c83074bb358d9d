"""Operators: they can read all users' renders and change none."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from auth.bearer import open_bearer_tokens
from services.errors import StartupError
from services.runtime.adapters import open_embedded
from services.settings import load_settings
from tests.support import tokens
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

SCOPE = "renders:all"
ALL_USERS = {"allUsers": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A server with an operator, and renders of Ann and Bob."""

    http: httpx.AsyncClient
    backend: FakeBackend
    anns: str
    bobs: str

    def user(self, name: str, **claims: object) -> Client:
        return Client(self.http, token=tokens.token_of(name, **claims))

    @property
    def operator(self) -> Client:
        return self.user("olga", scope=f"openid {SCOPE}")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    given = {"jwt_secret": tokens.SECRET, "operator_scope": SCOPE, "acquire_interval_s": 0.05}
    settings = load_settings(data_dir=tmp_path_factory.mktemp("data"), **given)
    backend = FakeBackend()
    async with (
        open_embedded(settings) as services,
        open_bearer_tokens(settings.auth) as authenticate,
        serve(rewired(services, backend=backend), authenticate=authenticate) as url,
        open_client(url) as client,
    ):
        anns, bobs = [await Client(client.http, token=tokens.token_of(name)).start_render() for name in ("ann", "bob")]
        yield Site(http=client.http, backend=backend, anns=anns, bobs=bobs)


@pytest.mark.parametrize("claims", [{"scope": SCOPE}, {"scope": f"a {SCOPE} b"}, {"scp": SCOPE}, {"scp": ["a", SCOPE]}])
async def test_an_operator_reads_any_users_render(site: Site, claims: dict[str, object]) -> None:
    operator = site.user("olga", **claims)
    for render_id, owner in ((site.anns, "rendercast ann"), (site.bobs, "rendercast bob")):
        for document in (GET, NODE):
            assert (await operator.execute(document, id=render_id))["id"] == render_id
        assert (await operator.execute("query ($id: ID!) { render(id: $id) { owner } }", id=render_id))[
            "owner"
        ] == owner


async def test_an_operator_lists_all_users_renders_in_pages_with_the_filter(site: Site) -> None:
    operator = site.operator
    assert await operator.list_renders() == []
    first = await operator.execute(LIST, first=1, filter=ALL_USERS)
    rest = await operator.execute(LIST, first=9, filter=ALL_USERS, after=first["pageInfo"]["endCursor"])
    assert [edge["node"]["id"] for page in (first, rest) for edge in page["edges"]] == [site.bobs, site.anns]
    assert (first["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasPreviousPage"]) == (True, True)
    error = await operator.error(LIST, after=first["pageInfo"]["endCursor"])
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "after"}


async def test_an_operator_watches_any_users_render(site: Site) -> None:
    async with open_stream(site.operator) as stream:
        await stream.subscribe(PROGRESS, id=site.anns)
        assert (await stream.next())["id"] == site.anns
        await site.user("ann").until(site.anns, status="RENDERING")
        site.backend.progress(site.anns, 45)
        while (await stream.next())["progress"] < 50:
            pass


async def test_an_operator_downloads_any_users_video(site: Site) -> None:
    carol = site.user("carol")
    render_id = await carol.start_render()
    await carol.until(render_id, status="RENDERING")
    site.backend.finish(render_id)
    await carol.until(render_id, status="COMPLETE")
    assert (await site.operator.execute(REFRESH, id=render_id))["__typename"] == "DownloadUrl"


async def test_an_operator_can_not_change_another_users_render(site: Site) -> None:
    for document in (CANCEL, DELETE, RETRY):
        assert (await site.operator.execute(document, id=site.anns))["__typename"] == "RenderNotFound"


async def test_an_operator_receives_only_own_updates(site: Site) -> None:
    async with open_stream(site.operator) as stream:
        await stream.subscribe(UPDATES)
        await stream.send(type="ping")
        assert await stream.receive() == {"type": "pong"}


async def test_an_operator_gets_the_normal_errors_for_unknown_ids(site: Site) -> None:
    for render_id in ("01hzzzzzzzzzzzzzzzzzzzzzzz", "", "\0", "*" * 9999):
        assert await site.operator.execute(GET, id=render_id) is None
        async with open_stream(site.operator) as stream:
            await stream.subscribe(PROGRESS, id=render_id)
            assert (await stream.receive())["payload"]["errors"][0]["extensions"] == {"code": "NOT_FOUND"}


OTHER_CLAIMS: list[dict[str, object]] = [
    {},
    {"scope": ""},
    {"scope": "renders"},
    {"scope": "renders:all:not"},
    {"scope": SCOPE.upper()},
    {"scope": {SCOPE: True}},
    {"scope": [["renders:all"]]},
    {"scope": "", "scp": SCOPE},
    {"scp": f"{SCOPE},other"},
    {"roles": [SCOPE]},
]


@pytest.mark.parametrize("claims", OTHER_CLAIMS)
async def test_users_with_other_claims_are_not_operators(site: Site, claims: dict[str, object]) -> None:
    mallory = site.user("mallory", **claims)
    assert await mallory.execute(GET, id=site.anns) is None
    error = await mallory.error(LIST, filter=ALL_USERS)
    assert error["extensions"] == {"code": "FORBIDDEN"}
    async with open_stream(mallory) as stream:
        await stream.subscribe(PROGRESS, id=site.anns)
        assert (await stream.receive())["payload"]["errors"][0]["extensions"] == {"code": "NOT_FOUND"}


async def test_without_the_setting_there_are_no_operators(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path, jwt_secret=tokens.SECRET)
    async with (
        open_embedded(settings) as services,
        open_bearer_tokens(settings.auth) as authenticate,
        serve(services, authenticate=authenticate) as url,
        open_client(url) as client,
    ):
        for scope in (SCOPE, "None", "null"):
            operator = Client(client.http, token=tokens.token_of("olga", scope=scope))
            assert (await operator.error(LIST, filter=ALL_USERS))["extensions"] == {"code": "FORBIDDEN"}


@pytest.mark.parametrize("scope", ["two scopes", 'quo"ted', "back\\slash", "é"])
async def test_the_setting_must_be_one_scope(tmp_path: Path, scope: str) -> None:
    with pytest.raises(StartupError, match="RENDERCAST_OPERATOR_SCOPE"):
        load_settings(data_dir=tmp_path, operator_scope=scope)
