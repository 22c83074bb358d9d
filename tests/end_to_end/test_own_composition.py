"""docs/compositions.md, followed from a project to a progress bar.

The project is bundled and evaluated in Chromium; the function for tests then has its compositions. The tests are
skipped without Node, Chromium or the npm packages, unless both variables are set: NODE=/usr/bin/node
CHROMIUM=/usr/bin/chromium.
"""

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.browser.visitors import CHROMIUM
from tests.end_to_end.on_lambda import RemotionSite, client_settings, run, until_known
from tests.end_to_end.own_composition import (
    CLIENT_PACKAGES,
    FILES,
    PAGE,
    block_of,
    commands_of,
    create_page_script,
    create_project,
)
from tests.end_to_end.production import Site, open_client
from tests.remotion_helper.projects import HELPER, NODE, PROJECT, Discovery, check_types, discover
from tests.support import tokens
from tests.support.lambda_compositions import site_of
from tests.support.lambda_server import LambdaServer

NEEDED = (PROJECT / "node_modules", HELPER / "node_modules", CLIENT_PACKAGES)
pytestmark = pytest.mark.skipif(
    not {"NODE", "CHROMIUM"} <= os.environ.keys() and not (NODE and CHROMIUM and all(each.exists() for each in NEEDED)),
    reason="needs Node (NODE= or `node` on the path), Chromium (CHROMIUM= or `chromium` on the path), and node_modules "
    "in tests/remotion_helper/project, clients/remotion and tests/clients (`npm ci --prefix` each folder)",
)

WEBM = b"\x1a\x45\xdf\xa3"
IMPORT = re.compile(r"from '([^'.]+)'")
INSTALLED_BY_THE_TEMPLATE = {"react", "remotion"}
PAGE_SCRIPT = """
import {showProgress} from './progress.js';
import WebSocket from 'ws';
globalThis.WebSocket ??= WebSocket; // browsers have it
const [id, url, token] = process.argv.slice(2);
const values = [];
const bar = {set value(value) { values.push(value); }};
console.log(JSON.stringify({output: await showProgress(bar, id, {url, token}), values}));
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return create_project(tmp_path_factory.mktemp("guide"))


@pytest.fixture(scope="module")
def discovery(project: Path) -> Discovery:
    return discover(project, entry="src/index.ts", roots=["guide"], stills={})["guide"]


def test_the_project_is_type_checked(project: Path) -> None:
    check_types(project)


def test_every_imported_package_is_installed_by_a_command() -> None:
    commands = commands_of("npm") + commands_of("npx")
    installed = {
        package for command in commands if " install" in command or " add" in command for package in command.split()
    }
    imported = {name for file, text in FILES.items() if file.startswith("src/") for name in IMPORT.findall(text)}
    assert imported - INSTALLED_BY_THE_TEMPLATE == {"zod"} <= installed


def test_the_composition_is_published_with_its_schema(discovery: Discovery) -> None:
    assert (discovery.ids, discovery.warnings) == (["Promo"], [])
    assert discovery.catalog["Promo"]["calculatesMetadata"] is True
    properties = discovery.schemas["Promo"]["properties"]
    assert properties["title"] == {"type": "string", "minLength": 1, "maxLength": 60}
    assert properties["layout"]["enum"] == ["left", "center"]
    assert properties["scenes"]["items"]["properties"]["seconds"] == {
        "type": "number",
        "exclusiveMinimum": 0,
        "maximum": 10,
    }


async def test_the_guide_leads_to_a_progress_bar(
    site: Site,
    deployment: dict[str, object],
    remotion_site: RemotionSite,
    function: LambdaServer,
    discovery: Discovery,
    tmp_path: Path,
) -> None:
    assert discovery.compositions is not None
    remotion_site.deploy(site_of(discovery.compositions))
    api, _ = site.start("serve --port 0", "worker", **deployment)
    async with open_client(api.url) as client:
        await until_known(client, ["Promo"])
        await follow_commands(api.url, tmp_path)
        assert [each["codec"] for each in function.starts] == ["vp9"]
        started = (await client.post(block_of("graphql").text))["data"]["startRender"]
        assert started["__typename"] == "StartRenderSuccess", started
        render = started["render"]
        assert render["output"] == {"contentType": "video/webm", "fileName": f"Promo-{render['id']}.webm"}
        shown = await show_progress(render["id"], api.url, tmp_path)
        done = await client.until(render["id"], status="COMPLETE", totalFrames=60)
        assert shown["values"] == sorted(shown["values"])
        assert shown["values"][-1] == 100
        assert f"Promo-{render['id']}.webm" in shown["output"]
        assert done["framesRendered"] == 60


async def follow_commands(url: str, folder: Path) -> None:
    """Run the commands as they are printed, and check what they do."""
    environment = client_settings(url) | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    lists, renders = commands_of("rendercast")
    ended = await run(["/bin/sh", "-c", lists], environment, folder=folder)
    assert re.search(r"^Promo +video +1280x720 +30 +1\.0 s +13 +yes$", ended.stdout, re.MULTILINE), ended
    ended = await run(["/bin/sh", "-c", renders], environment, folder=folder)
    assert ended.returncode == 0, ended.stderr
    assert (folder / "promo.webm").read_bytes().startswith(WEBM)
    (wrong,) = re.findall(r"`(rendercast render --composition .*?)` prints", PAGE)
    ended = await run(["/bin/sh", "-c", wrong], environment, folder=folder)
    assert (ended.returncode, ended.stderr) == (1, block_of("text").text)


async def show_progress(render_id: str, url: str, folder: Path) -> dict[str, Any]:
    """Run the documented function for a render, and return its output and the values of the bar."""
    script = create_page_script(folder, PAGE_SCRIPT)
    socket = f"{url.replace('http', 'ws')}/graphql"
    ended = await run([NODE, script, render_id, socket, tokens.token_of("ann")], {}, folder=folder)
    assert ended.returncode == 0, ended.stderr
    shown: dict[str, Any] = json.loads(ended.stdout)
    return shown
