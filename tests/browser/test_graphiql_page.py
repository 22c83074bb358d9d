"""GraphiQL as users see it: in Debian's Chromium, on the real `rendercast dev`, without access to other hosts.

SCREENSHOT=docs/images/graphiql.png retakes the README's picture.
"""

import json
import os
import re
import signal
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from pages.graphiql import FIRST_OPERATIONS
from tests.browser.sites import SMALL, open_fake_site
from tests.browser.visitors import (
    DESKTOP,
    NEEDS_BROWSER,
    OFFLINE_MESSAGES,
    PHONE,
    TIMEOUT_MS,
    Visitor,
    assert_accessible,
    visiting,
)
from tests.end_to_end.processes import Start
from tests.end_to_end.slow import SlowRenderers

EDITOR = ".graphiql-query-editor"
OPENS_MENU = "[aria-haspopup=menu]"
RESPONSE = ".graphiql-response"
DRAWN = re.compile(r'"framesRendered": [1-9]')
VARIABLES = ".graphiql-editor-tool >> nth=0"
# The menu's library warns that it can't measure a scroll bar, which the page hides.
HARMLESS = "react-remove-scroll-bar: cannot calculate scrollbar size"

pytestmark = [pytest.mark.asyncio(loop_scope="session"), NEEDS_BROWSER]

Visit = Callable[..., AbstractAsyncContextManager["Explorer"]]


class Explorer(Visitor):
    """A user of GraphiQL."""

    async def come(self) -> None:
        await self.open("/graphql")
        await expect(self.button("Execute query (Ctrl-Enter)")).to_be_visible(timeout=TIMEOUT_MS)

    async def run(self, operation: str) -> None:
        """Choose an operation in the menu of the play button."""
        # Until GraphiQL has read the operations, the button executes the first one instead of opening the menu.
        await self.page.get_by_role("button", name="Execute query").and_(self.page.locator(OPENS_MENU)).click()
        await self.page.get_by_role("menuitem", name=operation, exact=True).click()

    async def start(self) -> str:
        """Start a render and return its id once it is in the variables."""
        await self.run("Start")
        await self.see('"StartRenderSuccess"')
        render_id: str = (await self.data())["startRender"]["render"]["id"]
        await self.see(render_id, where=VARIABLES)
        return render_id

    async def stop(self) -> None:
        """Press the button that stops a subscription."""
        await self.page.get_by_role("button", name="Stop query").click()
        await expect(self.page.get_by_role("button", name="Execute query")).to_be_visible()

    async def tab_to(self, wanted: Locator, key: str = "Tab") -> None:
        """Press Tab, or another key, until the element has the focus."""
        for _ in range(30):
            await self.page.keyboard.press(key)
            if await wanted.evaluate("it => it === document.activeElement"):
                return
        raise AssertionError(wanted)

    async def see(self, text: str, *, where: str = RESPONSE) -> None:
        """Wait until the text is shown."""
        await expect(self.page.locator(where)).to_contain_text(text, timeout=TIMEOUT_MS)

    async def see_frames(self) -> None:
        """Wait until the watched render has drawn some frames."""
        await expect(self.page.locator(RESPONSE)).to_contain_text(DRAWN, timeout=TIMEOUT_MS)

    async def data(self) -> dict[str, Any]:
        """Return the data of the shown response, including lines that are scrolled out of view."""
        text = await self.page.locator(f"{RESPONSE} .CodeMirror").evaluate("it => it.CodeMirror.getValue()")
        data: dict[str, Any] = json.loads(text)["data"]
        return data


@pytest.fixture
def visit(browser: Browser) -> Visit:
    def visit(site: str, *, ignored: tuple[str, ...] = (), **options: Any) -> AbstractAsyncContextManager[Explorer]:
        ignored = (HARMLESS, *ignored)
        return visiting(browser, lambda page: Explorer(page=page, site=site, ignored=ignored), **options)

    return visit


async def test_a_new_user_starts_a_render_and_watches_it_until_its_video_plays(start: Start, visit: Visit) -> None:
    async with visit(start(**SMALL).url) as ann:
        await ann.come()
        await expect(ann.page).to_have_title("Rendercast")

        await ann.run("Overview")
        await ann.see('"renders"')
        overview = await ann.data()
        assert (overview["renderQuota"]["remaining"], overview["renders"]["edges"]) == (5, [])

        await ann.start()
        await ann.run("Watch")
        await ann.see('"COMPLETE"')
        if picture := os.environ.get("SCREENSHOT"):
            await take_picture(ann.page, picture)
        progress = (await ann.data())["renderProgress"]
        assert (progress["progress"], progress["framesRendered"]) == (100, 600)
        assert [warning.startswith("The font size was reduced") for warning in progress["warnings"]] == [True]
        assert progress["error"] is None

        await ann.page.goto(progress["outputUrl"])
        video = ann.page.locator("video")
        await expect(video).to_have_js_property("videoWidth", 320, timeout=TIMEOUT_MS)
        await expect(video).to_have_js_property("videoHeight", 180)
        await expect(video).to_have_js_property("duration", 20)


async def test_all_renders_can_be_watched_until_stopped(shared_url: str, visit: Visit) -> None:
    async with visit(shared_url) as ann:
        await ann.come()
        await ann.run("WatchAll")
        operation = {"query": FIRST_OPERATIONS.read_text(), "operationName": "Start"}
        await ann.page.request.post(f"{ann.site}/graphql", data=operation)
        await ann.see('"COMPLETE"')
        await ann.stop()


async def test_a_running_render_can_be_cancelled(tmp_path: Path, visit: Visit) -> None:
    async with open_fake_site(tmp_path) as site, visit(site.url) as ann:
        await ann.come()
        render_id = await ann.start()
        await ann.run("Watch")
        await ann.see('"RENDERING"')
        site.backend.progress(render_id, 90)
        await ann.see_frames()
        await ann.stop()
        await ann.run("Cancel")
        await ann.see('"CancelRenderSuccess"')
        await ann.run("Watch")
        await ann.see('"CANCELLED"')
        progress = (await ann.data())["renderProgress"]
        assert 0 < progress["framesRendered"] < 600
        assert progress["outputUrl"] is None


async def test_a_reached_quota_is_reported(tmp_path: Path, visit: Visit) -> None:
    async with open_fake_site(tmp_path, quota_limit=1) as site, visit(site.url) as ann:
        await ann.come()
        await ann.start()
        await ann.run("Start")
        await ann.see('"RenderQuotaExceeded"')
        rejection = (await ann.data())["startRender"]
        assert rejection["message"].startswith("Render quota exceeded. You can render up to 1 video")
        assert rejection["retryAfterSeconds"] > 0


async def test_watching_continues_after_the_server_was_killed_and_restarted(
    start: Start, visit: Visit, renderers: SlowRenderers
) -> None:
    renderers.slow_down()
    first = start(**SMALL)
    async with visit(first.url, ignored=OFFLINE_MESSAGES) as ann:
        await ann.come()
        await ann.start()
        await ann.run("Watch")
        await ann.see_frames()
        async with ann.page.expect_event("requestfailed", timeout=TIMEOUT_MS):
            first.end(signal.SIGKILL)
        assert (await ann.data())["renderProgress"]["status"] == "RENDERING"
        renderers.speed_up()
        start(after=first, **SMALL)
        await ann.see('"COMPLETE"')
        await expect(ann.page.get_by_role("button", name="Execute query")).to_be_visible()


async def test_the_documentation_and_the_explorer_open(shared_url: str, visit: Visit) -> None:
    async with visit(shared_url) as ann:
        await ann.come()
        await ann.page.get_by_role("button", name="Show Documentation Explorer").click()
        await ann.see("subscription: Subscription", where=".graphiql-doc-explorer")
        await ann.page.get_by_role("button", name="Show GraphiQL Explorer").click()
        await ann.see("renderQuota", where=".docExplorerWrap")


async def test_a_reload_keeps_operations_and_variables(shared_url: str, visit: Visit) -> None:
    async with visit(shared_url) as ann:
        await ann.come()
        render_id = await ann.start()
        await ann.page.wait_for_url(f"**/*{render_id}*")
        await ann.page.reload()
        await ann.see("Overview", where=EDITOR)
        await ann.run("Watch")
        await ann.see('"renderProgress"')
        assert render_id in ann.page.url


async def test_operations_can_be_run_by_keyboard(shared_url: str, visit: Visit) -> None:
    async with visit(shared_url) as ann:
        await ann.come()
        press = ann.page.keyboard.press
        lines = FIRST_OPERATIONS.read_text().splitlines()

        async def run(first_line: str) -> None:
            """Move the cursor to an operation and press Ctrl-Enter."""
            await press("Control+Home")
            for _ in range(lines.index(first_line)):
                await press("ArrowDown")
            await press("Control+Enter")

        while not await ann.page.evaluate(f"document.activeElement.closest('{EDITOR}') !== null"):
            await press("Tab")
        await run("mutation Start {")
        await ann.see('"StartRenderSuccess"')
        await ann.see((await ann.data())["startRender"]["render"]["id"], where=VARIABLES)
        await run("subscription Watch($renderId: ID!) {")
        await ann.see('"COMPLETE"')


async def test_tab_enters_and_leaves_every_editor_and_arrow_keys_scroll(shared_url: str, visit: Visit) -> None:
    async with visit(shared_url) as ann:
        await ann.come()
        await ann.see("Overview", where=EDITOR)
        named = ann.page.get_by_role
        scroller = named("group", name="Query, scrolled by arrow keys", exact=True)
        await ann.tab_to(named("textbox", name="Query", exact=True))
        await ann.tab_to(scroller)
        await ann.page.keyboard.press("ArrowDown")
        await expect(scroller).not_to_have_js_property("scrollTop", 0)
        assert await scroller.evaluate("it => it.parentNode.CodeMirror.getCursor().line") == 0
        await ann.tab_to(named("textbox", name="Variables", exact=True))
        await ann.tab_to(named("textbox", name="Response", exact=True))
        await ann.tab_to(named("textbox", name="Variables", exact=True), "Shift+Tab")
        await ann.tab_to(named("textbox", name="Query", exact=True), "Shift+Tab")
        await ann.button("Headers").click()
        await ann.tab_to(named("textbox", name="Headers", exact=True))
        assert await scroller.evaluate("it => it.parentNode.CodeMirror.getValue()") == FIRST_OPERATIONS.read_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_at_any_width(shared_url: str, visit: Visit, scheme: str) -> None:
    async with visit(shared_url, bypass_csp=True, color_scheme=scheme) as ann:  # for axe alone
        await ann.come()
        await ann.see("Overview", where=EDITOR)
        await assert_axe_finds_nothing_at_any_width(ann.page)
        await ann.start()
        await ann.run("Watch")
        await ann.see('"COMPLETE"')
        await assert_axe_finds_nothing_at_any_width(ann.page)
        await ann.page.get_by_role("button", name="Show Documentation Explorer").click()
        await ann.see("subscription: Subscription", where=".graphiql-doc-explorer")
        await assert_axe_finds_nothing_at_any_width(ann.page)


async def assert_axe_finds_nothing_at_any_width(page: Page) -> None:
    for size in (PHONE, DESKTOP):
        await page.set_viewport_size(size)
        await assert_accessible(page)


async def test_it_fits_on_a_phone(shared_url: str, visit: Visit) -> None:
    async with visit(shared_url, viewport=PHONE, is_mobile=True, has_touch=True) as ann:
        await ann.come()
        await ann.start()
        await ann.run("Watch")
        await ann.see('"COMPLETE"')
        editor, response = [await ann.page.locator(part).bounding_box() for part in (EDITOR, RESPONSE)]
        assert editor is not None
        assert response is not None
        assert min(editor["width"], response["width"]) > PHONE["width"] * 0.7
        assert min(editor["height"], response["height"]) > PHONE["height"] * 0.3
        assert editor["y"] + editor["height"] < response["y"] < response["y"] + response["height"] < PHONE["height"]
        assert await ann.page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


async def take_picture(page: Page, path: str) -> None:
    """Scroll the editor to the operations and save a screenshot."""
    await page.locator(f"{EDITOR} .CodeMirror").evaluate(
        "it => it.CodeMirror.scrollTo(0, it.CodeMirror.heightAtLine(18, 'local'))"
    )
    await page.screenshot(path=path)
