"""Tokens for one render: over every transport they permit to watch and download it, and nothing else of the schema."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio
from graphql import get_named_type, is_leaf_type, is_required_argument

from resolvers.schema import build_schema
from services.runtime.adapters import open_embedded
from services.runtime.services import Services
from services.settings import load_settings
from tests.security.closing import rejected_init
from tests.support.api_client import DELETE, GET, NODE, PROGRESS, REFRESH, SHARE, Client, open_client
from tests.support.api_server import rewired, serve
from tests.support.api_stream import open_stream
from tests.support.fake_backend import FakeBackend

pytestmark = pytest.mark.asyncio(loop_scope="module")

PROPS = '{text: "Hello"}'
ONLY = "This token is for one render: it can only be used to watch and download that render."
SCHEMA = build_schema().core_schema
ROOTS = {"query": SCHEMA.query_type, "mutation": SCHEMA.mutation_type, "subscription": SCHEMA.subscription_type}
OPERATIONS = [(kind, name) for kind, root in ROOTS.items() if root is not None for name in root.fields]
# These permit the token's own render. Everything else is forbidden, except what needs no token at all.
ALLOWED = {"render", "node", "renderProgress", "refreshDownloadUrl"}
PUBLIC = {"renderLimits"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A server, a render of Ann that is complete, another one, and a token for the first."""

    http: httpx.AsyncClient
    services: Services
    backend: FakeBackend
    render_id: str
    other_id: str
    token: str

    @property
    def ann(self) -> Client:
        return Client(self.http, user="ann")

    @property
    def viewer(self) -> Client:
        return Client(self.http, token=self.token)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    settings = load_settings(data_dir=tmp_path_factory.mktemp("data"), acquire_interval_s=0.05)
    backend = FakeBackend()
    async with open_embedded(settings) as services:
        faked = rewired(services, backend=backend)
        async with serve(faked) as url, open_client(url) as client:
            ann = Client(client.http, user="ann")
            render_id, other_id = await ann.start_render(), await ann.start_render()
            await ann.until(render_id, status="RENDERING")
            backend.finish(render_id)
            await ann.until(render_id, status="COMPLETE")
            token = (await ann.execute(SHARE, id=render_id))["token"]
            yield Site(
                http=client.http, services=faked, backend=backend, render_id=render_id, other_id=other_id, token=token
            )


def document(kind: str, name: str, render_id: str) -> str:
    """Return an operation with the required arguments; ids are those of the render."""
    root = ROOTS[kind]
    assert root is not None
    field = root.fields[name]
    arguments = ", ".join(
        f"{argument}: {value_of(each.type, render_id)}"
        for argument, each in field.args.items()
        if is_required_argument(each) or argument in {"id", "renderId"}
    )
    selection = "" if is_leaf_type(get_named_type(field.type)) else " { __typename }"
    return f"{kind} {{ {name}{f'({arguments})' if arguments else ''}{selection} }}"


def value_of(type_: Any, render_id: str) -> str:
    """Return a value of a required argument: an id, or an input object with its required fields."""
    named = get_named_type(type_)
    if named.name == "ID":
        return json.dumps(render_id)
    if named.name == "AnimationPropsInput":
        return PROPS
    if named.name == "StartRenderInput":
        return f"{{animationProps: {PROPS}}}"
    if named.name == "StartRendersInput":
        return f'{{batchId: "b", renders: [{{animationProps: {PROPS}}}]}}'
    raise AssertionError(f"add a value of the type {named.name}")


async def renders_of(client: Client) -> list[tuple[str, bool, bool]]:
    """Return the ids of the renders, and what a change would show: a cancellation, and whether they are complete."""
    renders = await client.list_renders()
    return [(each["id"], each["cancelRequested"], each["status"] == "COMPLETE") for each in renders]


async def error_codes(client: Client, kind: str, text: str) -> list[str]:
    """Return the codes of the errors of an operation, over HTTP or in a WebSocket."""
    if kind != "subscription":
        result = await client.post(text)
    else:
        async with open_stream(client) as stream:
            await stream.subscribe(text)
            message = await stream.receive()
            payload = message["payload"]
            result = payload if isinstance(payload, dict) else {"errors": payload}
    return [error["extensions"]["code"] for error in result.get("errors", [])]


@pytest.mark.parametrize(("kind", "name"), OPERATIONS)
async def test_an_operation_is_forbidden_unless_it_watches_the_tokens_own_render(
    site: Site, kind: str, name: str
) -> None:
    before = await renders_of(site.ann)
    own = await error_codes(site.viewer, kind, document(kind, name, site.render_id))
    other = await error_codes(site.viewer, kind, document(kind, name, site.other_id))
    unknown = await error_codes(site.viewer, kind, document(kind, name, "unknown"))
    assert own == ([] if name in ALLOWED | PUBLIC else ["FORBIDDEN"])
    assert other == unknown == ([] if name in PUBLIC else ["FORBIDDEN"])
    assert await renders_of(site.ann) == before


async def test_every_operation_is_known() -> None:
    names = {name for _, name in OPERATIONS}
    assert names > ALLOWED | PUBLIC


async def test_the_tokens_render_is_watched_and_downloaded(site: Site) -> None:
    for text in (GET, NODE):
        assert (await site.viewer.execute(text, id=site.render_id))["id"] == site.render_id
    assert (await site.viewer.execute(REFRESH, id=site.render_id))["__typename"] == "DownloadUrl"
    async with open_stream(site.viewer) as stream:
        await stream.subscribe(PROGRESS, id=site.render_id)
        assert [render["status"] for render in await stream.rest()] == ["COMPLETE"]


async def test_the_token_is_used_in_the_header_of_a_handshake_and_over_sse(site: Site) -> None:
    header = {"Authorization": f"Bearer {site.token}"}
    async with open_stream(Client(site.http), additional_headers=header) as stream:
        await stream.subscribe(PROGRESS, id=site.render_id)
        assert (await stream.next())["id"] == site.render_id
    body = {"query": PROGRESS, "variables": {"id": site.render_id}}
    response = await site.http.post("/graphql", json=body, headers={**header, "Accept": "text/event-stream"})
    assert "event: next" in response.text
    assert site.render_id in response.text


async def test_errors_of_other_renders_do_not_depend_on_their_existence(site: Site) -> None:
    errors = [await site.viewer.error(GET, id=render_id) for render_id in (site.other_id, "unknown", "")]
    assert {error["message"] for error in errors} == {ONLY}


@pytest.mark.parametrize("seconds", [0, -1, 604_801, 2_147_483_647])
async def test_a_lifetime_out_of_range_is_rejected(site: Site, seconds: int) -> None:
    error = await site.ann.error(SHARE, id=site.render_id, seconds=seconds)
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "expiresInSeconds"}


async def test_only_the_owner_gets_a_token(site: Site) -> None:
    bob = Client(site.http, user="bob")
    for render_id in (site.render_id, "unknown"):
        assert (await bob.execute(SHARE, id=render_id))["__typename"] == "RenderNotFound"
    assert (await Client(site.http).error(SHARE, id=site.render_id))["extensions"] == {"code": "UNAUTHENTICATED"}


def forgeries(token: str, other_id: str) -> dict[str, str]:
    prefix, payload, signature = token.split(".")
    content = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    changed = {"render": [other_id, *content[1:]], "owner": [content[0], "bob", content[2]], "exp": [*content[:2], 2e9]}
    encoded = {
        name: urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=") for name, each in changed.items()
    }
    forged = {name: f"{prefix}.{each}.{signature}" for name, each in encoded.items()}
    return {
        **forged,
        "no signature": f"{prefix}.{payload}.A",
        "signature of another part": f"{prefix}.{payload}A.{signature}",
        "cut": token[:-1],
    }


async def test_a_changed_token_is_rejected(site: Site) -> None:
    for name, token in forgeries(site.token, site.other_id).items():
        client = Client(site.http, token=token)
        assert (await client.error(GET, id=site.render_id))["extensions"] == {"code": "UNAUTHENTICATED"}, name
        assert (await rejected_init(client))[0] == 4403, name


async def test_deleting_the_render_revokes_its_token(site: Site) -> None:
    render_id = await site.ann.start_render()
    token = (await site.ann.execute(SHARE, id=render_id))["token"]
    viewer = Client(site.http, token=token)
    await site.ann.until(render_id, status="RENDERING")
    async with open_stream(viewer) as stream:
        await stream.subscribe(PROGRESS, id=render_id)
        assert (await stream.next())["status"] == "RENDERING"
        site.backend.finish(render_id)
        await site.ann.until(render_id, status="COMPLETE")
        assert (await stream.rest())[-1]["status"] == "COMPLETE"
    assert (await site.ann.execute(DELETE, id=render_id))["__typename"] == "DeleteRenderSuccess"
    assert await viewer.execute(GET, id=render_id) is None
    async with open_stream(viewer) as stream:
        await stream.subscribe(PROGRESS, id=render_id)
        assert (await stream.receive())["payload"]["errors"][0]["extensions"] == {"code": "NOT_FOUND"}
