"""The page of these tests, its bundles, and a user of it."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Locator, WebSocket, expect

from services.settings import CHECKOUT
from tests.browser.sites import FakeSite
from tests.browser.visitors import TIMEOUT_MS, Visitor
from tests.support.waiting import wait_until

FOLDER = Path(__file__).parent
CLIENTS = CHECKOUT / "clients"
REACT = CLIENTS / "react" / "node_modules"
TOOLS = CHECKOUT / "web" / "tools" / "node_modules"
TOOL_TIMEOUT_S = 150.0  # the tools take some seconds
NODE = os.environ.get("NODE") or shutil.which("node") or ""
NEEDS_NODE = pytest.mark.skipif(
    "NODE" not in os.environ and not (NODE and (TOOLS / "esbuild").exists() and REACT.exists()),
    reason="needs Node (NODE= or `node` on the path), clients/react/node_modules and web/tools/node_modules "
    "(`npm ci --prefix` each folder)",
)
VERSIONS = {"18": "-18", "19": ""}  # the suffix of the packages in clients/react
HTML = """<!doctype html>
<html lang="en">
  <head><meta charset="utf-8"><link rel="icon" href="data:,"><title>Renders</title></head>
  <body><div id="root">{markup}</div><script type="module" src="page.js"></script></body>
</html>
"""


def run(program: str, *arguments: str | Path, cwd: Path) -> str:
    """Run a tool with the Node of the tests. Returns its output; fails if it reports an error or a warning."""
    path = f"{Path(NODE).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "npm_config_ignore_scripts": "true"}
    command = [program if program == NODE else TOOLS / ".bin" / program, *arguments]
    result = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=TOOL_TIMEOUT_S
    )
    assert (result.returncode, result.stderr) == (0, ""), result.stdout + result.stderr
    return result.stdout


def build_packages(folder: Path) -> Path:
    """Build @rendercast/client and @rendercast/react in copies of their folders. Returns the folder of the latter.

    It also has the page's sources.
    """
    for name in ("typescript", "react"):
        shutil.copytree(CLIENTS / name, folder / name, ignore=shutil.ignore_patterns("node_modules", "dist"))
    (folder / "react" / "node_modules").symlink_to(REACT)
    for name in ("typescript", "react"):
        run("tsc", "--project", name, cwd=folder)
    for source in FOLDER.glob("*.tsx"):
        shutil.copy(source, folder / "react")
    return folder / "react"


def bundle(entry: str, *options: str, package: Path, version: str) -> Path:
    """Bundle a source of the page with a version of React, and return the bundle."""
    target = package.parent / f"{Path(entry).stem}-{version}.js"
    aliases = {name: f"{name}{VERSIONS[version]}" for name in ("react", "react-dom")} if VERSIONS[version] else {}
    aliases |= {"@rendercast/react": "./dist/index.js", "@rendercast/client": "../typescript/dist/index.js"}
    run(
        "esbuild",
        entry,
        "--bundle",
        "--log-level=warning",
        "--jsx=automatic",
        '--define:process.env.NODE_ENV="development"',
        *(f"--alias:{name}={target}" for name, target in aliases.items()),
        f"--outfile={target}",
        *options,
        cwd=package,
    )
    return target


def build_page(folder: Path, *, package: Path, version: str) -> None:
    """Build the page with a version of React: an empty `index.html`, and `hydrated.html` with markup of a server."""
    shutil.move(bundle("page.tsx", package=package, version=version), folder / "page.js")
    server = bundle("server.tsx", "--platform=node", package=package, version=version)
    (folder / "index.html").write_text(HTML.format(markup=""), encoding="utf-8")
    (folder / "hydrated.html").write_text(HTML.format(markup=run(NODE, server, cwd=folder)), encoding="utf-8")


async def run_to(site: FakeSite, render_id: str, frames: int) -> None:
    """Let the backend draw so many of the render's 90 frames."""
    await wait_until(lambda: render_id in site.backend.attempts)
    if frames < 90:
        site.backend.progress(render_id, frames)
    else:
        site.backend.finish(render_id)


async def only_render(site: FakeSite) -> str:
    """Return the id of the first render that the backend starts."""
    await wait_until(lambda: bool(site.backend.starts))
    return site.backend.starts[0]


async def wait_for_starts(site: FakeSite, number: int) -> None:
    """Wait until the backend has started so many renders, and no more."""
    await wait_until(lambda: len(site.backend.starts) >= number)
    assert len(site.backend.starts) == number


@dataclass(kw_only=True)
class PageUser(Visitor):
    """A user of the page, and the subscriptions that the page has open, by connection and operation id."""

    api: str
    subscriptions: dict[tuple[int, str], Any] = field(default_factory=dict)
    subscribed: list[Any] = field(default_factory=list)

    @property
    def items(self) -> Locator:
        """The list of the studio."""
        return self.page.get_by_role("listitem")

    async def expect_state(self, state: str) -> None:
        """Wait until the start button of the studio has this state."""
        await expect(self.page.locator(".start")).to_have_attribute("data-state", state, timeout=TIMEOUT_MS)

    async def open_page(self, name: str = "index.html") -> None:
        self.allow(self.api)
        self.page.on("websocket", self._listen)
        await self.open(f"/{name}?{self.api}")

    async def show(self, component: str | None, client: int = 0, **props: object) -> None:
        """Show a component with one of the clients, or nothing."""
        await self.page.evaluate("(given) => show(...given)", [component, props, client])

    async def wait_for_subscriptions(self, number: int) -> None:
        """Wait until the page has exactly so many subscriptions."""
        await wait_until(lambda: len(self.subscriptions) == number)

    def _listen(self, websocket: WebSocket) -> None:
        def sent(frame: str | bytes) -> None:
            message = json.loads(frame)
            if message["type"] == "subscribe":
                self.subscriptions[id(websocket), message["id"]] = message["payload"]
                self.subscribed.append(message["payload"])
            if message["type"] == "complete":
                self.subscriptions.pop((id(websocket), message["id"]), None)

        def received(frame: str | bytes) -> None:
            message = json.loads(frame)
            if message["type"] in ("complete", "error"):
                self.subscriptions.pop((id(websocket), message["id"]), None)

        def closed(_: WebSocket) -> None:
            for key in [key for key in self.subscriptions if key[0] == id(websocket)]:
                del self.subscriptions[key]

        websocket.on("framesent", sent)
        websocket.on("framereceived", received)
        websocket.on("close", closed)

    def _check_websocket(self, websocket: WebSocket) -> None:
        if websocket.url != self.api.replace("http:", "ws:") + "/graphql":
            self.page_errors.append(f"connected to {websocket.url}")
