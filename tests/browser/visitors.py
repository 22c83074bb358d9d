"""Users of the pages, in Debian's Chromium with no access to other hosts.

The tests are skipped without Chromium or the npm packages. Set CHROMIUM=/usr/bin/chromium to run them in any case.
"""

import os
import re
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
from playwright.async_api import (
    Browser,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    ViewportSize,
    WebSocket,
    async_playwright,
    expect,
)

from services.settings import CHECKOUT

# The headless shell takes two thirds of the CPU time of the whole Chromium.
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium-headless-shell") or shutil.which("chromium")
OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    *("--process-per-site", "--renderer-process-limit=1"),  # saves a ninth of the CPU time of these tests
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
]
TIMEOUT_MS = 60_000
expect.set_options(timeout=TIMEOUT_MS)  # Playwright's 5 s are too short for a busy machine
MAX_TABS = 30  # between two controls that a test uses
DESKTOP = ViewportSize(width=1440, height=900)
PHONE = ViewportSize(width=360, height=780)
WITH_MOTION = {"reduced_motion": "no-preference"}  # of a context
OFFLINE_MESSAGES = (
    "WebSocket connection to",
    "ERR_CONNECTION_REFUSED",
)  # Chromium's messages while the server is down
PREVIEW = ".preview.jpg?"  # in the URL of a running render's newest frame
PACKAGES = CHECKOUT / "web" / "node_modules"
AXE = CHECKOUT / "web" / "tools" / "node_modules" / "axe-core" / "axe.min.js"

NEEDS_BROWSER = pytest.mark.skipif(
    "CHROMIUM" not in os.environ and not (CHROMIUM and AXE.exists() and PACKAGES.exists()),
    reason="needs Chromium (CHROMIUM= or `chromium` on the path), web/node_modules and web/tools/node_modules "
    "(`npm ci --prefix` each folder)",
)


@dataclass(kw_only=True)
class Visitor:
    """A user of a page, and the errors that the page has caused: messages, exceptions, requests to other hosts."""

    page: Page
    site: str
    ignored: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    page_errors: list[str] = field(default_factory=list)

    @property
    def bar(self) -> Locator:
        return self.page.get_by_role("progressbar")

    def button(self, name: str | re.Pattern[str]) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    async def open(self, path: str) -> None:
        self.page.on("console", self._record_message)
        self.page.on("pageerror", lambda error: self.page_errors.append(f"raised {error}"))
        self.page.on("websocket", self._check_websocket)
        self.page.on("request", self._check_request)
        await self.page.goto(self.site + path)

    async def wait_for_progress(self, at_least: float = 1) -> float:
        """Wait until the only progress bar has reached this value, and return its value."""
        reached = await self.page.wait_for_function(
            """(minimum) => {
                const value = document.querySelector("progress:not([hidden])")?.value;
                return value >= minimum && { value };
            }""",
            arg=at_least,
        )
        return float((await reached.json_value())["value"])  # the bar may be gone by now

    def allow(self, origin: str) -> None:
        """Accept requests to another server, such as an object storage."""
        self.allowed += (origin,)

    def ignore_messages(self, *parts: str) -> None:
        """Accept console messages that contain one of these texts."""
        self.ignored += parts

    def _record_message(self, message: ConsoleMessage) -> None:
        # A preview is deleted when the render ends, and its server may be killed. It may not be loaded by then.
        is_old_preview = PREVIEW in message.location["url"] and any(
            each in message.text for each in ("404", "net::ERR")
        )
        is_allowed = is_old_preview or any(part in message.text for part in self.ignored)
        if message.type in ("error", "warning") and not is_allowed:
            self.page_errors.append(f"logged {message.text}")

    def _check_websocket(self, websocket: WebSocket) -> None:
        if websocket.url not in [f"{origin.replace('http:', 'ws:')}/graphql" for origin in (self.site, *self.allowed)]:
            self.page_errors.append(f"connected to {websocket.url}")

    def _check_request(self, request: Request) -> None:
        """Record a request to another host. A route instead would take half a second of CPU time for each page."""
        if not request.url.startswith(tuple(f"{origin}/" for origin in (self.site, *self.allowed))):
            self.page_errors.append(f"requested {request.url}")


@dataclass(kw_only=True)
class StudioUser(Visitor):
    """A user of the studio."""

    @property
    def cards(self) -> Locator:
        return self.page.get_by_role("list", name="Your renders").get_by_role("listitem")

    @property
    def connection(self) -> Locator:
        return self.page.locator("#connection")

    @property
    def first_visit(self) -> Locator:
        return self.page.get_by_role("list", name="How it works")

    def card(self, text: str) -> Locator:
        return self.cards.filter(has=self.page.get_by_role("heading", name=text, exact=True))

    async def open_studio(self) -> None:
        """Open the page and wait until it is connected."""
        await self.open("/")
        await expect(self.connection).to_have_text("Live", timeout=TIMEOUT_MS)

    async def render(self, text: str = "Hello", *, seconds: float = 3, style: str = "Fade in") -> Locator:
        """Fill in the form, press Render, and return the card of the new render."""
        await self.page.get_by_label("Text", exact=True).fill(text)
        await self.page.get_by_label("Duration").fill(str(seconds))
        await self.page.get_by_role("radio", name=style).check()
        await self.button("Render").click()
        card = self.card(text)
        await expect(card).to_have_count(1, timeout=TIMEOUT_MS)
        return card

    async def choose_more(self, card: Locator, name: str) -> None:
        """Click an entry of the menu "More" of a card."""
        await card.locator("summary").click()
        await card.get_by_role("button", name=re.compile(f"^{name}")).click()

    async def tab_to(self, role: str, name: str) -> None:
        """Press Tab until this control is focused."""
        await self.tab_to_element(self.page.get_by_role(role, name=name, exact=True))  # type: ignore[arg-type]

    async def tab_to_element(self, wanted: Locator) -> None:
        """Press Tab until this element is focused."""
        for _ in range(MAX_TABS):
            await self.page.keyboard.press("Tab")
            if await wanted.evaluate("(it) => it === document.activeElement"):
                return
        raise AssertionError(wanted)

    async def reconnect_now(self) -> None:
        """Press "Try now", although it may be hidden because the page is reconnecting by itself."""
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
    """Open a page for a user without stored data. Fails at the end if the page has caused errors.

    The user prefers reduced motion: the studio's moving preview takes a tenth of a core. WITH_MOTION changes that.
    """
    async with await browser.new_context(**{"viewport": DESKTOP, "reduced_motion": "reduce", **options}) as context:
        context.set_default_timeout(TIMEOUT_MS)
        user = visitor(await context.new_page())
        yield user
        assert user.page_errors == [], user.page_errors


def screenshot_path(name: str) -> Path | None:
    """Return the file for a screenshot; None if SCREENSHOTS is not set."""
    folder = os.environ.get("SCREENSHOTS")
    return None if folder is None else Path(folder) / f"{name}.png"


async def assert_accessible_everywhere(page: Page) -> None:
    """Fail if axe finds a problem in light or dark mode, on a desktop or a phone, or if the page is too wide."""
    for size in (PHONE, DESKTOP):
        await page.set_viewport_size(size)
        for scheme in ("dark", "light"):
            await page.emulate_media(color_scheme=scheme)
            await assert_accessible(page)
        assert await page.evaluate("document.documentElement.scrollWidth") <= size["width"]


async def assert_accessible(page: Page) -> None:
    if not await page.evaluate("'axe' in window"):
        await page.add_script_tag(path=AXE)
    # Without the elements that pass, which are many, axe takes a third of the time.
    found = await page.evaluate("axe.run({ resultTypes: ['violations'] })")
    violations = [(each["id"], [node["target"] for node in each["nodes"]]) for each in found["violations"]]
    assert violations == [], violations
    assert len(found["passes"]) > 10
