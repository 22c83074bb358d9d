"""The studio's page and its files over HTTP; tests/browser tests the page in a browser."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from graphql import parse, validate

from app import create_app
from pages.files import CDN, CDN_FILE
from pages.studio import FILES, FOLDER, Studio, load_studio
from resolvers.schema import build_schema
from services.errors import StartupError
from services.media import CLIENT_NAMES, FORMATS
from services.runtime.adapters import open_embedded
from services.settings import CHECKOUT, load_settings
from tests.support.api_server import named_user


def new_studio(folder: Path = FOLDER, **settings: object) -> Studio:
    loaded_settings = load_settings(**settings)
    return load_studio(loaded_settings.pages, loaded_settings.server.base_url, folder)


SCHEMA = build_schema().core_schema
INSTALLED = pytest.mark.skipif(
    not new_studio().files.keys() - new_studio(web_dir=Path("missing")).files.keys(),
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
    """Return the URLs that the page loads at its start."""
    return re.findall(r'(?:src|stylesheet" href|modulepreload" href)="(?!data:)([^"]+)"', html)


@pytest.mark.parametrize("option", [None, True, False])
async def test_the_studio_is_served_unless_switched_off(tmp_path: Path, *, option: bool | None) -> None:
    async with client(tmp_path, studio=option) as http:
        response = await http.get("/")
    if option is not False:
        assert (response.status_code, response.headers["content-type"]) == (200, "text/html; charset=utf-8")
    else:
        assert (response.status_code, response.headers["location"]) == (307, "/graphql")


async def test_all_files_of_the_page_are_served_and_cached_without_limit(tmp_path: Path) -> None:
    async with client(tmp_path) as http:
        page = await http.get("/")
        ours = [path for path in loaded(page.text) if not path.startswith(CDN)]
        responses = {path: await http.get(f"/{path}") for path in ours}
        missing = await http.get("/assets/studio/index.html")
    assert page.headers["cache-control"] == "no-cache"
    sources = {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.*")} - {"index.html"}
    sources = {name for name in sources if not name.startswith("share/")}  # the files of test_share.py
    assert {path.removeprefix(FILES).partition("/")[2] for path in ours} >= sources
    for path, response in responses.items():
        assert response.status_code == 200, path
        assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert response.headers["content-type"].startswith("text/css" if path.endswith(".css") else "text/javascript")
    assert missing.status_code == 404


@pytest.mark.parametrize(
    ("family", "status", "media_type"),
    [
        ("inter", 200, "font/ttf"),
        ("Roboto%20Mono", 200, "font/ttf"),
        ("Noto%20Sans%20JP", 404, "text/plain"),  # a collection
        ("No%20Such%20Font", 404, "text/plain"),
        ("..%2f..%2fstudio.css", 404, "text/plain"),
    ],
)
async def test_a_family_is_served_as_a_web_font(tmp_path: Path, family: str, status: int, media_type: str) -> None:
    async with client(tmp_path) as http:
        response = await http.get(f"/assets/studio/fonts/{family}")
    assert (response.status_code, response.headers["content-type"].partition(";")[0]) == (status, media_type)
    if status == 200:
        assert response.content[:4] == b"\0\1\0\0"
        assert response.headers["cache-control"] == "public, max-age=86400"


def test_changed_files_get_another_url(tmp_path: Path) -> None:
    names = []
    for content in ("1", "2"):
        (tmp_path / "index.html").write_text(f'<script src="{FILES}main.js">')
        (tmp_path / "main.js").write_text(content)
        studio = new_studio(folder=tmp_path)
        [name] = studio.files
        assert f'"{FILES}{name}"' in studio.html
        names.append(name)
    assert names[0] != names[1]


def test_missing_files_fail_the_start_with_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="RENDERCAST_STUDIO"):
        new_studio(folder=tmp_path)


def test_without_npm_packages_it_loads_only_graphql_ws_from_the_cdn(tmp_path: Path) -> None:
    studio = new_studio(web_dir=tmp_path)
    [file] = CDN_FILE.finditer(studio.html)
    assert file["package"] == "graphql-ws"
    assert policy(studio)["script-src"] == ["'self'", CDN]


@INSTALLED
def test_with_npm_packages_it_names_no_other_host() -> None:
    studio = new_studio()
    assert "https:" not in studio.html
    assert policy(studio)["script-src"] == ["'self'"]


def test_its_policy_admits_no_inline_code_and_only_videos_and_posters_from_other_hosts() -> None:
    studio = new_studio(public_url="https://render.example")
    allowed = policy(studio)
    assert allowed["default-src"] == allowed["base-uri"] == allowed["frame-ancestors"] == ["'none'"]
    assert allowed["connect-src"] == allowed["style-src"] == ["'self'"]
    assert allowed["media-src"] == ["'self'", "https://render.example", "https:"]
    assert allowed["font-src"] == ["'self'"]
    assert allowed["img-src"] == ["data:", *allowed["media-src"]]
    private = policy(new_studio(public_url="http://render.internal"))
    assert private["media-src"] == ["'self'", "http://render.internal", "http:", "https:"]
    assert "unsafe" not in studio.policy
    assert re.findall(r"<script>|<style|\sstyle=|\son\w+=", studio.html) == []


def test_npm_installs_the_version_that_the_page_requires() -> None:
    package = json.loads((CHECKOUT / "web" / "package.json").read_text())
    html = (FOLDER / "index.html").read_text(encoding="utf-8")
    versions = package["dependencies"] | package["optionalDependencies"]
    assert [file["name"] for file in CDN_FILE.finditer(html)] == [
        f"graphql-ws@{versions['graphql-ws']}/umd/graphql-ws.min.js"
    ]


def operations() -> dict[str, str]:
    """Return the page's operations by name."""
    source = (FOLDER / "operations.js").read_text(encoding="utf-8")
    texts = dict(re.findall(r"const (\w+) = `([^`]*)`", source))
    return {
        name: re.sub(r"\$\{(\w+)}", lambda spread: texts[spread[1]], text)
        for name, text in texts.items()
        if not text.lstrip().startswith("fragment")
    }


@pytest.mark.parametrize("name", operations())
def test_its_operations_are_valid(name: str) -> None:
    assert validate(SCHEMA, parse(operations()[name])) == []


def test_it_uses_every_mutation() -> None:
    mutations = SCHEMA.mutation_type
    assert mutations is not None
    sent = "\n".join(operations().values())
    assert {name for name in mutations.fields if f"{name}(" not in sent} == {"startRenders"}  # for programs


def test_its_table_of_formats_is_that_of_the_server() -> None:
    source = (FOLDER / "output-formats.js").read_text(encoding="utf-8")
    [text] = re.findall(r"FORMATS = (\{.*?^\});", source, re.MULTILINE | re.DOTALL)
    table = json.loads(text)
    assert list(table) == [name.name for name in FORMATS]
    for name, row in FORMATS.items():
        ours = table[name.name]
        assert ours["kind"] == row.kind.name
        assert sorted(ours["options"]) == sorted(CLIENT_NAMES.get(option, option) for option in row.options)
        assert ours.get("crf") == (None if row.crf is None else [row.crf[0], row.crf[-1]])
        assert ours.get("even", False) == row.even
