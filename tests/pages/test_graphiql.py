"""GraphiQL's page and its files over HTTP; tests/browser tests the page in a browser."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import unescape
from pathlib import Path

import httpx
import pytest
from graphql import GraphQLUnionType, parse, validate
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp

from app import create_app
from auth.local_developer import LocalDeveloper
from pages.files import CDN, CDN_FILE, hash_source
from pages.graphiql import FIRST_OPERATIONS, SCRIPT, TEMPLATE, GraphiQL, load_graphiql
from resolvers.schema import build_schema
from services.runtime.adapters import open_embedded
from services.settings import CHECKOUT, load_settings

PAGE = TEMPLATE.read_text(encoding="utf-8")
STYLESHEET = "graphiql@3.8.3/graphiql.min.css"
EXPLORER = "@graphiql/plugin-explorer@1.0.2/dist/index.umd.js"


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """The template, requiring files that are in `tmp_path` where npm would install them."""
    page = PAGE
    for wanted in CDN_FILE.finditer(PAGE):
        file = tmp_path / wanted["package"] / wanted["file"]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(wanted["name"].encode())
        page = page.replace(wanted["integrity"], hash_source("sha384", file.read_bytes()))
    template = tmp_path / "graphiql.html"
    template.write_text(page, encoding="utf-8")
    return template


@pytest.fixture
def graphiql(template: Path, tmp_path: Path) -> GraphiQL:
    return load_graphiql(tmp_path, template=template)


@asynccontextmanager
async def client(app: ASGIApp) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
        yield http


async def get_file(graphiql: GraphiQL, path: str) -> httpx.Response:
    async with client(Starlette(routes=[Route("/assets/{name:path}", graphiql.serve_file)])) as http:
        return await http.get(f"/assets/{path}")


def policy(graphiql: GraphiQL) -> dict[str, list[str]]:
    directives = (directive.split() for directive in graphiql.policy.split("; "))
    return {name: sources for name, *sources in directives}


async def test_without_npm_packages_the_page_loads_its_files_from_the_cdn(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path, web_dir=tmp_path / "missing")
    async with (
        open_embedded(settings) as services,
        client(create_app(services, authenticate=LocalDeveloper(services.settings.server))) as http,
    ):
        response = await http.get("/graphql", headers={"accept": "text/html"})
        file = await http.get(f"/assets/{STYLESHEET}")
    assert (response.status_code, response.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "<title>Rendercast</title>" in response.text
    assert '<html lang="en">' in response.text
    assert CDN_FILE.findall(response.text) == CDN_FILE.findall(PAGE)
    assert f"script-src {CDN} 'sha256-" in response.headers["content-security-policy"]
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert file.status_code == 404


def test_with_npm_packages_it_names_no_other_host_and_keeps_the_hashes(template: Path, graphiql: GraphiQL) -> None:
    assert len(graphiql.files) == 6
    assert "https:" not in graphiql.html
    assert "https:" not in graphiql.policy
    assert re.findall("integrity=.*", graphiql.html) == re.findall("integrity=.*", template.read_text("utf-8"))
    assert re.findall(r'="assets/([^"]*)"', graphiql.html) == list(graphiql.files)


@pytest.mark.parametrize("damage", [Path.unlink, lambda file: file.write_bytes(b"another version")])
def test_it_loads_all_files_from_the_cdn_unless_every_installed_file_has_the_required_content(
    template: Path, tmp_path: Path, damage: object
) -> None:
    assert callable(damage)
    damage(tmp_path / "react-dom/umd/react-dom.production.min.js")
    graphiql = load_graphiql(tmp_path, template=template)
    assert graphiql.files == {}
    assert graphiql.html.count(CDN) == 6


def test_every_url_of_the_cdn_has_an_integrity_hash() -> None:
    assert len(CDN_FILE.findall(PAGE)) == PAGE.count(CDN) == PAGE.count("https:")


@pytest.mark.parametrize(("name", "media_type"), [(STYLESHEET, "text/css"), (EXPLORER, "text/javascript")])
async def test_a_file_is_served_with_its_media_type_and_cached_without_limit(
    graphiql: GraphiQL, name: str, media_type: str
) -> None:
    response = await get_file(graphiql, name)
    assert (response.status_code, response.text) == (200, name)
    assert response.headers["content-type"] == f"{media_type}; charset=utf-8"
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert response.headers["x-content-type-options"] == "nosniff"


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
async def test_other_paths_are_not_found(graphiql: GraphiQL, tmp_path: Path, path: str) -> None:
    (tmp_path / "secret").touch()
    (tmp_path / "graphiql" / "package.json").touch()
    assert (await get_file(graphiql, path)).status_code == 404


def test_the_policy_admits_the_pages_own_script_only(graphiql: GraphiQL) -> None:
    [script] = re.findall(r"<script>(.*?)</script>", graphiql.html, re.DOTALL)
    assert script.strip() == SCRIPT.read_text(encoding="utf-8").strip()
    allowed = policy(graphiql)
    assert allowed["script-src"] == ["'self'", f"'{hash_source('sha256', script.encode())}'"]
    assert allowed["default-src"] == allowed["frame-ancestors"] == allowed["base-uri"] == ["'none'"]


def test_the_first_operations_are_valid_and_in_the_order_of_use(graphiql: GraphiQL) -> None:
    [escaped] = re.findall(r'<template id="first-operations">(.*)</template>', graphiql.html, re.DOTALL)
    document = unescape(escaped)
    assert document == FIRST_OPERATIONS.read_text(encoding="utf-8")
    assert validate(build_schema().core_schema, parse(document)) == []
    assert re.findall(r"^(\w+) (\w+)", document, re.MULTILINE)[:5] == [
        ("query", "Overview"),
        ("mutation", "Start"),
        ("subscription", "Watch"),
        ("mutation", "Cancel"),
        ("subscription", "WatchAll"),
    ]


def test_the_first_operations_select_every_result_type_of_starting_and_cancelling() -> None:
    unions = [build_schema().core_schema.type_map[f"{name}Result"] for name in ("StartRender", "CancelRender")]
    document = FIRST_OPERATIONS.read_text(encoding="utf-8")
    members = {member.name for union in unions if isinstance(union, GraphQLUnionType) for member in union.types}
    assert members == set(re.findall(r"\.\.\. on (\w+)", document))


def test_npm_installs_the_versions_that_the_page_requires() -> None:
    package = json.loads((CHECKOUT / "web" / "package.json").read_text())
    wanted = {file["package"]: file["name"] for file in CDN_FILE.finditer(PAGE)}
    assert package["dependencies"].keys() == wanted.keys()
    assert all(wanted[name].startswith(f"{name}@{version}/") for name, version in package["dependencies"].items())
