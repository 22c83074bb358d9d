"""GraphiQL as a person uses it: in Debian's Chromium, on the real `rendercast dev`, with no other host within reach.

Skipped without Chromium or GraphiQL's npm packages; where they must run, name the browser: CHROMIUM=/usr/bin/chromium.
SCREENSHOT=docs/images/graphiql.png takes the README's picture again.
"""

import json
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, ConsoleMessage, Page, Route, WebSocket, async_playwright, expect

from resolvers.graphiql import FIRST_OPERATIONS, load_graphiql
from services.settings import CHECKOUT
from tests.end_to_end.processes import Rendercast

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
]
PATIENCE_MS = 60_000
# The menu's library measures a scroll bar that Strawberry's page has hidden, and says so.
HARMLESS = "react-remove-scroll-bar: cannot calculate scrollbar size"

pytestmark = pytest.mark.skipif(
    "CHROMIUM" not in os.environ and not (CHROMIUM and load_graphiql(CHECKOUT / "web" / "node_modules").parts),
    reason="needs Chromium (CHROMIUM= or `chromium` on the path) and web/node_modules (`npm ci --prefix web`)",
)


@dataclass(kw_only=True)
class Visitor:
    """Somebody in front of the page, and whatever it did that it should not."""

    page: Page
    site: str
    complaints: list[str] = field(default_factory=list)

    async def open(self, path: str = "/graphql") -> None:
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(f"raised {error}"))
        self.page.on("websocket", self._see_websocket)
        await self.page.route("**/*", self._let_pass_if_ours)
        await self.page.goto(self.site + path)

    async def run(self, operation: str) -> None:
        """Choose an operation from the menu of the play button."""
        await self.page.get_by_role("button", name="Execute query").click()
        await self.page.get_by_role("menuitem", name=operation, exact=True).click()

    async def see(self, text: str, *, where: str = ".graphiql-response") -> None:
        """Wait until the answer shows the text."""
        await expect(self.page.locator(where)).to_contain_text(text, timeout=PATIENCE_MS)

    async def answer(self) -> dict[str, Any]:
        """Return the answer that is shown, with what is scrolled away."""
        text = await self.page.locator(".graphiql-response .CodeMirror").evaluate("it => it.CodeMirror.getValue()")
        data: dict[str, Any] = json.loads(text)["data"]
        return data

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(HARMLESS):
            self.complaints.append(f"said {message.text}")

    def _see_websocket(self, websocket: WebSocket) -> None:
        if websocket.url != self.site.replace("http:", "ws:") + "/graphql":
            self.complaints.append(f"connected to {websocket.url}")

    async def _let_pass_if_ours(self, route: Route) -> None:
        if route.request.url.startswith(self.site + "/"):
            await route.continue_()
        else:
            self.complaints.append(f"asked for {route.request.url}")
            await route.abort()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    rendercast = Rendercast(tmp_path, local_width=640, local_height=360)
    try:
        yield rendercast.url
    finally:
        rendercast.close()


@asynccontextmanager
async def open_browser() -> AsyncIterator[Browser]:
    async with (
        async_playwright() as playwright,
        await playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS) as browser,
    ):
        yield browser


@pytest.fixture
async def visitor(site: str) -> AsyncIterator[Visitor]:
    async with open_browser() as browser:
        page = await browser.new_page(viewport={"width": 1440, "height": 900})
        visitor = Visitor(page=page, site=site)
        yield visitor
        assert visitor.complaints == []


async def test_a_first_visitor_looks_around_starts_a_render_and_watches_it_to_its_video(visitor: Visitor) -> None:
    await visitor.open()
    await expect(visitor.page).to_have_title("Rendercast")

    await visitor.run("Overview")
    await visitor.see('"renders"')
    overview = await visitor.answer()
    assert (overview["renderQuota"]["remaining"], overview["renders"]["edges"]) == (5, [])

    await visitor.run("Start")
    await visitor.see('"StartRenderSuccess"')
    render_id = (await visitor.answer())["startRender"]["render"]["id"]
    await visitor.see(render_id, where=".graphiql-editor-tool >> nth=0")  # filled in for Watch

    await visitor.run("Watch")
    await visitor.see('"COMPLETE"')
    if picture := os.environ.get("SCREENSHOT"):
        await take_picture(visitor.page, picture)
    progress = (await visitor.answer())["renderProgress"]
    assert (progress["progress"], progress["framesRendered"]) == (100, 600)
    assert (progress["warnings"], progress["error"]) == ([], None)

    await visitor.page.goto(progress["outputUrl"])
    video = visitor.page.locator("video")
    await expect(video).to_have_js_property("videoWidth", 640, timeout=PATIENCE_MS)
    await expect(video).to_have_js_property("videoHeight", 360)
    await expect(video).to_have_js_property("duration", 20)


async def test_all_renders_can_be_watched_until_one_stops_watching(visitor: Visitor) -> None:
    await visitor.open()
    await visitor.run("WatchAll")
    start = {"query": FIRST_OPERATIONS.read_text(), "operationName": "Start"}
    await visitor.page.request.post(f"{visitor.site}/graphql", data=start)
    await visitor.see('"COMPLETE"')
    await visitor.page.get_by_role("button", name="Stop query").click()
    await expect(visitor.page.get_by_role("button", name="Execute query")).to_be_visible()


async def test_the_documentation_and_the_explorer_open(visitor: Visitor) -> None:
    await visitor.open()
    await visitor.page.get_by_role("button", name="Show Documentation Explorer").click()
    await visitor.see("subscription: Subscription", where=".graphiql-doc-explorer")
    await visitor.page.get_by_role("button", name="Show GraphiQL Explorer").click()
    await visitor.see("renderQuota", where=".docExplorerWrap")


async def test_a_reload_keeps_what_was_written(visitor: Visitor) -> None:
    await visitor.open()
    await visitor.run("Start")
    await visitor.see('"StartRenderSuccess"')
    render_id = (await visitor.answer())["startRender"]["render"]["id"]
    await visitor.page.wait_for_url(f"**/*{render_id}*")
    await visitor.page.reload()
    await visitor.run("Watch")
    await visitor.see('"renderProgress"')
    assert render_id in visitor.page.url


async def take_picture(page: Page, path: str) -> None:
    """Show the operations in the editor, then save what is seen."""
    await page.locator(".graphiql-query-editor .CodeMirror").evaluate(
        "it => it.CodeMirror.scrollTo(0, it.CodeMirror.heightAtLine(17, 'local'))"
    )
    await page.screenshot(path=path)
