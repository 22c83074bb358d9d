"""Those who visit our pages, in Debian's Chromium with no other host within reach.

Skipped without Chromium or the npm packages; where they must run, name the browser: CHROMIUM=/usr/bin/chromium.
"""

import os
import re
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
from playwright.async_api import (
    Browser,
    ConsoleMessage,
    Locator,
    Page,
    Route,
    ViewportSize,
    WebSocket,
    async_playwright,
    expect,
)

from services.settings import CHECKOUT

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
DESKTOP = ViewportSize(width=1440, height=900)
PHONE = ViewportSize(width=360, height=780)
LOST = ("WebSocket connection to", "ERR_CONNECTION_REFUSED")  # what Chromium says while the server is away
PACKAGES = CHECKOUT / "web" / "node_modules"
AXE = PACKAGES / "axe-core" / "axe.min.js"

NEEDS_BROWSER = pytest.mark.skipif(
    "CHROMIUM" not in os.environ and not (CHROMIUM and AXE.exists()),
    reason="needs Chromium (CHROMIUM= or `chromium` on the path) and web/node_modules (`npm ci --prefix web`)",
)


@dataclass(kw_only=True)
class Visitor:
    """Somebody in front of a page, and whatever it did that it should not."""

    page: Page
    site: str
    excused: tuple[str, ...] = ()
    complaints: list[str] = field(default_factory=list)

    @property
    def bar(self) -> Locator:
        return self.page.get_by_role("progressbar")

    def button(self, name: str | re.Pattern[str]) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    async def open(self, path: str) -> None:
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(f"raised {error}"))
        self.page.on("websocket", self._see_websocket)
        await self.page.route("**/*", self._let_pass_if_ours)
        await self.page.goto(self.site + path)

    async def see_progress(self, at_least: float = 1) -> float:
        """Wait until the one bar has come so far, and return how far."""
        await self.page.wait_for_function(
            "(least) => document.querySelector('progress:not([hidden])')?.value >= least",
            arg=at_least,
            timeout=PATIENCE_MS,
        )
        return float(await self.bar.evaluate("(bar) => bar.value"))

    def excuse(self, *words: str) -> None:
        """Let the page say what has these words in it."""
        self.excused += words

    def _hear(self, message: ConsoleMessage) -> None:
        excused = any(words in message.text for words in self.excused)
        if message.type in ("error", "warning") and not excused:
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


@dataclass(kw_only=True)
class Person(Visitor):
    """Somebody who uses the studio."""

    @property
    def cards(self) -> Locator:
        return self.page.get_by_role("list", name="Your renders").get_by_role("listitem")

    @property
    def connection(self) -> Locator:
        return self.page.get_by_role("status")

    def card(self, text: str) -> Locator:
        return self.cards.filter(has=self.page.get_by_role("heading", name=text, exact=True))

    async def come(self) -> None:
        """Open the page and wait until it shows what there is."""
        await self.open("/")
        await expect(self.connection).to_have_text("Live", timeout=PATIENCE_MS)

    async def render(self, text: str = "Hello", *, seconds: float = 3, style: str = "Fade in") -> Locator:
        """Fill in the form, press Render, and return what comes of it."""
        await self.page.get_by_label("Text", exact=True).fill(text)
        await self.page.get_by_label("Duration").fill(str(seconds))
        await self.page.get_by_role("radio", name=style).check()
        await self.button("Render").click()
        card = self.card(text)
        await expect(card).to_have_count(1, timeout=PATIENCE_MS)
        return card

    async def hurry(self) -> None:
        """Press "Try now", which may be gone just now as the page has tried by itself."""
        await self.page.evaluate("document.querySelector('#try-now').click()")


AnyVisitor = TypeVar("AnyVisitor", bound=Visitor)


@asynccontextmanager
async def open_browser() -> AsyncIterator[Browser]:
    async with (
        async_playwright() as playwright,
        await playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS) as browser,
    ):
        yield browser


@asynccontextmanager
async def visiting(
    browser: Browser, visitor: Callable[[Page], AnyVisitor], **options: Any
) -> AsyncIterator[AnyVisitor]:
    """Send somebody with nothing remembered, and see in the end that the page did nothing it should not."""
    async with await browser.new_context(**{"viewport": DESKTOP, **options}) as context:
        somebody = visitor(await context.new_page())
        yield somebody
        assert somebody.complaints == []


async def assert_axe_finds_nothing(page: Page) -> None:
    await page.add_script_tag(path=AXE)
    found = await page.evaluate("axe.run()")
    violations = [(each["id"], [node["target"] for node in each["nodes"]]) for each in found["violations"]]
    assert violations == [], violations
    assert len(found["passes"]) > 10
