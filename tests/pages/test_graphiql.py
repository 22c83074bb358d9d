"""GraphiQL's page and its parts over HTTP. What it is like in a browser is tested in tests/browser."""

import base64
import hashlib
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from graphql import GraphQLUnionType, parse, validate
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp
from strawberry.http.ides import get_graphql_ide_html

from app import create_app
from auth.bearer import LocalDeveloper
from pages.graphiql import CDN, FIRST_OPERATIONS, PART, GraphiQL, adapt_page
from resolvers.schema import build_schema
from services.runtime.adapters import open_embedded
from services.settings import CHECKOUT, load_settings

PAGE = get_graphql_ide_html("graphiql")
STYLE = "graphiql@3.8.3/graphiql.min.css"
SCRIPT = "@graphiql/plugin-explorer@1.0.2/dist/index.umd.js"


def hash_of(algorithm: str, content: bytes) -> str:
    return f"{algorithm}-{base64.b64encode(hashlib.new(algorithm, content).digest()).decode()}"


@pytest.fixture
def page(tmp_path: Path) -> str:
    """Strawberry's page, demanding files that are in `tmp_path` as npm would have put them there."""
    page = PAGE
    for part in PART.finditer(PAGE):
        file = tmp_path / part["package"] / part["file"]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(part["name"].encode())
        page = page.replace(part["integrity"], hash_of("sha384", file.read_bytes()))
    return page


@pytest.fixture
def graphiql(page: str, tmp_path: Path) -> GraphiQL:
    return adapt_page(page, tmp_path)


@asynccontextmanager
async def client(app: ASGIApp) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
        yield http


async def get_part(graphiql: GraphiQL, path: str) -> httpx.Response:
    async with client(Starlette(routes=[Route("/assets/{name:path}", graphiql.serve_part)])) as http:
        return await http.get(f"/assets/{path}")


def policy(graphiql: GraphiQL) -> dict[str, list[str]]:
    directives = (directive.split() for directive in graphiql.policy.split("; "))
    return {name: sources for name, *sources in directives}


async def test_without_the_npm_packages_the_page_is_whole_and_loads_its_parts_from_the_cdn(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path, web_dir=tmp_path / "nowhere")
    async with (
        open_embedded(settings) as services,
        client(create_app(services, authenticate=LocalDeveloper(services.settings))) as http,
    ):
        answer = await http.get("/graphql", headers={"accept": "text/html"})
        part = await http.get(f"/assets/{STYLE}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "<title>Rendercast</title>" in answer.text
    assert '<html lang="en">' in answer.text
    assert PART.findall(answer.text) == PART.findall(PAGE)
    assert f"script-src {CDN} 'sha256-" in answer.headers["content-security-policy"]
    assert (answer.headers["x-content-type-options"], answer.headers["referrer-policy"]) == ("nosniff", "no-referrer")
    assert part.status_code == 404


async def test_with_them_it_names_no_other_host_and_keeps_the_hashes(page: str, graphiql: GraphiQL) -> None:
    assert len(graphiql.parts) == 7
    assert "https:" not in graphiql.html
    assert "https:" not in graphiql.policy
    assert re.findall("integrity=.*", graphiql.html) == re.findall("integrity=.*", page)
    assert re.findall(r'="assets/(.*)"', graphiql.html) == list(graphiql.parts)


@pytest.mark.parametrize("damage", [Path.unlink, lambda file: file.write_bytes(b"another version")])
def test_it_falls_back_to_the_cdn_as_a_whole_unless_every_part_is_the_one_the_page_demands(
    page: str, tmp_path: Path, damage: object
) -> None:
    assert callable(damage)
    damage(tmp_path / "js-cookie/dist/js.cookie.min.js")
    graphiql = adapt_page(page, tmp_path)
    assert graphiql.parts == {}
    assert graphiql.html.count(CDN) == 7


@pytest.mark.parametrize(("name", "media_type"), [(STYLE, "text/css"), (SCRIPT, "text/javascript")])
async def test_a_part_is_served_for_ever_as_what_it_is(graphiql: GraphiQL, name: str, media_type: str) -> None:
    answer = await get_part(graphiql, name)
    assert (answer.status_code, answer.text) == (200, name)
    assert answer.headers["content-type"] == f"{media_type}; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "graphiql@3.8.3/",
        "graphiql@3.8.3/package.json",
        "graphiql/graphiql.min.css",
        "graphiql@3.8.3/%2e%2e/secret",
        "%2e%2e/%2e%2e/secret",
        "/etc/passwd",
    ],
)
async def test_nothing_else_is_served(graphiql: GraphiQL, tmp_path: Path, path: str) -> None:
    (tmp_path / "secret").touch()
    (tmp_path / "graphiql" / "package.json").touch()
    assert (await get_part(graphiql, path)).status_code == 404


def test_the_policy_lets_the_page_run_its_own_script_and_no_other(graphiql: GraphiQL) -> None:
    [script] = re.findall(r"<script>(.*?)</script>", graphiql.html, re.DOTALL)
    allowed = policy(graphiql)
    assert allowed["script-src"] == ["'self'", f"'{hash_of('sha256', script.encode())}'"]
    assert allowed["default-src"] == allowed["frame-ancestors"] == allowed["base-uri"] == ["'none'"]


def test_it_begins_with_operations_the_schema_knows_in_an_order_that_makes_sense(graphiql: GraphiQL) -> None:
    [literal] = re.findall(r"const EXAMPLE_QUERY = (.*);\n", graphiql.html)
    document = json.loads(literal)
    assert document == FIRST_OPERATIONS.read_text(encoding="utf-8")
    assert validate(build_schema()._schema, parse(document)) == []
    assert re.findall(r"^(\w+) (\w+)", document, re.MULTILINE)[:5] == [
        ("query", "Overview"),
        ("mutation", "Start"),
        ("subscription", "Watch"),
        ("mutation", "Cancel"),
        ("subscription", "WatchAll"),
    ]


def test_it_asks_for_every_answer_that_starting_and_cancelling_a_render_have() -> None:
    unions = [build_schema()._schema.type_map[f"{name}Result"] for name in ("StartRender", "CancelRender")]
    document = FIRST_OPERATIONS.read_text(encoding="utf-8")
    members = {member.name for union in unions if isinstance(union, GraphQLUnionType) for member in union.types}
    assert members == set(re.findall(r"\.\.\. on (\w+)", document))


@pytest.mark.parametrize(
    "known",
    [
        "Strawberry GraphiQL",
        "&#x1f353;",
        "EXAMPLE_QUERY = `",
        "</head>",
        '<div id="graphiql"',
        "Loading...</div>",
        "createFetcher({",
        "subscriptionUrl,",
        "onEditVariables(",
        CDN,
    ],
)
def test_a_page_that_changed_is_refused_rather_than_served_half_adapted(known: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Strawberry's GraphiQL page has changed"):
        adapt_page(PAGE.replace(known, "something else"), tmp_path)


def test_npm_is_told_to_install_the_versions_the_page_names() -> None:
    package = json.loads((CHECKOUT / "web" / "package.json").read_text())
    named = {part["package"]: part["name"] for part in PART.finditer(PAGE)}
    assert package["dependencies"].keys() == named.keys()
    assert all(named[name].startswith(f"{name}@{version}/") for name, version in package["dependencies"].items())
