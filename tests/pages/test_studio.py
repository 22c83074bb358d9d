"""The studio's page and what it loads, over HTTP. What it is like in a browser is tested in tests/browser."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from graphql import parse, validate

from app import create_app
from pages.graphiql import CDN, PART
from pages.studio import FILES, FOLDER, Studio, load_studio
from resolvers.schema import build_schema
from services.errors import StartupError
from services.runtime.adapters import open_embedded
from services.settings import CHECKOUT, load_settings
from tests.support.api_server import named_user

INSTALLED = pytest.mark.skipif(
    not load_studio(load_settings()).parts.keys() - load_studio(load_settings(web_dir=Path("nowhere"))).parts.keys(),
    reason="needs web/node_modules (`npm ci --prefix web`)",
)


@asynccontextmanager
async def client(folder: Path, **settings: object) -> AsyncIterator[httpx.AsyncClient]:
    async with open_embedded(load_settings(data_dir=folder, **settings)) as services:
        transport = httpx.ASGITransport(create_app(services, authenticate=named_user))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
            yield http


def policy(studio: Studio) -> dict[str, list[str]]:
    directives = (directive.split() for directive in studio.policy.split("; "))
    return {name: sources for name, *sources in directives}


def loaded(html: str) -> list[str]:
    """Return what the page loads by itself."""
    return re.findall(r'(?:src|stylesheet" href|modulepreload" href)="(?!data:)([^"]+)"', html)


@pytest.mark.parametrize("wish", [None, True, False])
async def test_it_is_there_unless_it_is_not_wanted(tmp_path: Path, *, wish: bool | None) -> None:
    async with client(tmp_path, studio=wish) as http:
        answer = await http.get("/")
    if wish is not False:
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    else:
        assert (answer.status_code, answer.headers["location"]) == (307, "/graphql")


async def test_all_it_loads_is_there_and_may_be_kept_for_ever(tmp_path: Path) -> None:
    async with client(tmp_path) as http:
        page = await http.get("/")
        ours = [path for path in loaded(page.text) if not path.startswith(CDN)]
        answers = {path: await http.get(f"/{path}") for path in ours}
        missing = await http.get("/assets/studio/index.html")
    assert page.headers["cache-control"] == "no-cache"
    assert {path.rpartition("/")[2] for path in ours} >= {file.name for file in FOLDER.iterdir()} - {"index.html"}
    for path, answer in answers.items():
        assert answer.status_code == 200, path
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["content-type"].startswith("text/css" if path.endswith(".css") else "text/javascript")
    assert missing.status_code == 404


def test_files_that_changed_have_other_names(tmp_path: Path) -> None:
    names = []
    for content in ("1", "2"):
        (tmp_path / "index.html").write_text(f'<script src="{FILES}main.js">')
        (tmp_path / "main.js").write_text(content)
        studio = load_studio(load_settings(), tmp_path)
        [name] = studio.parts
        assert f'"{FILES}{name}"' in studio.html
        names.append(name)
    assert names[0] != names[1]


def test_where_its_files_are_missing_the_start_says_so(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="RENDERCAST_STUDIO"):
        load_studio(load_settings(), tmp_path)


def test_without_the_npm_packages_it_loads_graphql_ws_from_the_cdn_and_lets_nothing_else_in(tmp_path: Path) -> None:
    studio = load_studio(load_settings(web_dir=tmp_path))
    [part] = PART.finditer(studio.html)
    assert part["package"] == "graphql-ws"
    assert policy(studio)["script-src"] == ["'self'", CDN]


@INSTALLED
def test_with_them_it_names_no_other_host() -> None:
    studio = load_studio(load_settings())
    assert "https:" not in studio.html
    assert policy(studio)["script-src"] == ["'self'"]


def test_its_policy_admits_no_inline_code_and_only_videos_and_posters_from_elsewhere() -> None:
    studio = load_studio(load_settings(public_url="https://render.example"))
    allowed = policy(studio)
    assert allowed["default-src"] == allowed["base-uri"] == allowed["frame-ancestors"] == ["'none'"]
    assert allowed["connect-src"] == allowed["style-src"] == ["'self'"]
    assert allowed["media-src"] == ["'self'", "https://render.example", "https:"]
    assert allowed["img-src"] == ["data:", *allowed["media-src"]]
    assert "unsafe" not in studio.policy
    assert re.findall(r"<script>|<style|\sstyle=|\son\w+=", studio.html) == []


def test_npm_is_told_to_install_the_version_the_page_names() -> None:
    package = json.loads((CHECKOUT / "web" / "package.json").read_text())
    html = (FOLDER / "index.html").read_text(encoding="utf-8")
    versions = package["dependencies"] | package["optionalDependencies"]
    assert [part["name"] for part in PART.finditer(html)] == [
        f"graphql-ws@{versions['graphql-ws']}/umd/graphql-ws.min.js"
    ]


def operations() -> dict[str, str]:
    """Return the operations that the page sends, by name."""
    source = (FOLDER / "operations.js").read_text(encoding="utf-8")
    texts = dict(re.findall(r"const (\w+) = `([^`]*)`", source))
    return {
        name: re.sub(r"\$\{(\w+)}", lambda spread: texts[spread[1]], text)
        for name, text in texts.items()
        if not text.lstrip().startswith("fragment")
    }


@pytest.mark.parametrize("name", operations())
def test_it_sends_nothing_that_the_schema_does_not_know(name: str) -> None:
    assert validate(build_schema()._schema, parse(operations()[name])) == []


def test_it_does_all_that_can_be_done() -> None:
    mutations = build_schema()._schema.mutation_type
    assert mutations is not None
    sent = "\n".join(operations().values())
    assert [name for name in mutations.fields if f"{name}(" not in sent] == []
