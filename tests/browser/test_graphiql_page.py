"""GraphiQL as a person uses it: in Debian's Chromium, on the real `rendercast dev`, with no other host within reach.

SCREENSHOT=docs/images/graphiql.png takes the README's picture again.
"""

import json
import os
import re
import signal
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from pages.graphiql import FIRST_OPERATIONS
from tests.browser.sites import FULL, LARGE, SMALL
from tests.browser.visitors import (
    DESKTOP,
    LOST,
    NEEDS_BROWSER,
    PATIENCE_MS,
    PHONE,
    Visitor,
    assert_axe_finds_nothing,
    visiting,
)
from tests.end_to_end.processes import Start

EDITOR = ".graphiql-query-editor"
ANSWER = ".graphiql-response"
DRAWN = re.compile(r'"framesRendered": [1-9]')
VARIABLES = ".graphiql-editor-tool >> nth=0"
# The menu's library measures a scroll bar that Strawberry's page has hidden, and says so.
HARMLESS = "react-remove-scroll-bar: cannot calculate scrollbar size"

pytestmark = [pytest.mark.asyncio(loop_scope="module"), NEEDS_BROWSER]

Visit = Callable[..., AbstractAsyncContextManager["Explorer"]]


class Explorer(Visitor):
    """Somebody who uses GraphiQL."""

    async def come(self) -> None:
        await self.open("/graphql")
        await expect(self.button("Execute query (Ctrl-Enter)")).to_be_visible(timeout=PATIENCE_MS)

    async def run(self, operation: str) -> None:
        """Choose an operation from the menu of the play button."""
        await self.page.get_by_role("button", name="Execute query").click()
        await self.page.get_by_role("menuitem", name=operation, exact=True).click()

    async def start(self) -> str:
        """Start a render and return its id once Watch has it."""
        await self.run("Start")
        await self.see('"StartRenderSuccess"')
        render_id: str = (await self.answer())["startRender"]["render"]["id"]
        await self.see(render_id, where=VARIABLES)
        return render_id

    async def stop(self) -> None:
        """Press the button that ends a subscription."""
        await self.page.get_by_role("button", name="Stop query").click()
        await expect(self.page.get_by_role("button", name="Execute query")).to_be_visible()

    async def tab_to(self, wanted: Locator, key: str = "Tab") -> None:
        """Press Tab, or what goes the other way, until there."""
        for _ in range(30):
            await self.page.keyboard.press(key)
            if await wanted.evaluate("it => it === document.activeElement"):
                return
        raise AssertionError(wanted)

    async def see(self, text: str, *, where: str = ANSWER) -> None:
        """Wait until the answer shows the text."""
        await expect(self.page.locator(where)).to_contain_text(text, timeout=PATIENCE_MS)

    async def see_frames(self) -> None:
        """Wait until some frames of the render that is watched have been drawn."""
        await expect(self.page.locator(ANSWER)).to_contain_text(DRAWN, timeout=PATIENCE_MS)

    async def answer(self) -> dict[str, Any]:
        """Return the answer that is shown, with what is scrolled away."""
        text = await self.page.locator(f"{ANSWER} .CodeMirror").evaluate("it => it.CodeMirror.getValue()")
        data: dict[str, Any] = json.loads(text)["data"]
        return data


@pytest.fixture
def visit(browser: Browser) -> Visit:
    def visit(site: str, *, excused: tuple[str, ...] = (), **options: Any) -> AbstractAsyncContextManager[Explorer]:
        excused = (HARMLESS, *excused)
        return visiting(browser, lambda page: Explorer(page=page, site=site, excused=excused), **options)

    return visit


async def test_a_first_visitor_looks_around_starts_a_render_and_watches_it_to_its_video(
    start: Start, visit: Visit
) -> None:
    async with visit(start(**SMALL).url) as ann:
        await ann.come()
        await expect(ann.page).to_have_title("Rendercast")

        await ann.run("Overview")
        await ann.see('"renders"')
        overview = await ann.answer()
        assert (overview["renderQuota"]["remaining"], overview["renders"]["edges"]) == (5, [])

        await ann.start()
        await ann.run("Watch")
        await ann.see('"COMPLETE"')
        if picture := os.environ.get("SCREENSHOT"):
            await take_picture(ann.page, picture)
        progress = (await ann.answer())["renderProgress"]
        assert (progress["progress"], progress["framesRendered"]) == (100, 600)
        assert (progress["warnings"], progress["error"]) == ([], None)

        await ann.page.goto(progress["outputUrl"])
        video = ann.page.locator("video")
        await expect(video).to_have_js_property("videoWidth", 640, timeout=PATIENCE_MS)
        await expect(video).to_have_js_property("videoHeight", 360)
        await expect(video).to_have_js_property("duration", 20)


async def test_all_renders_can_be_watched_until_one_stops_watching(start: Start, visit: Visit) -> None:
    async with visit(start(**SMALL).url) as ann:
        await ann.come()
        await ann.run("WatchAll")
        operation = {"query": FIRST_OPERATIONS.read_text(), "operationName": "Start"}
        await ann.page.request.post(f"{ann.site}/graphql", data=operation)
        await ann.see('"COMPLETE"')
        await ann.stop()


async def test_a_render_under_way_is_cancelled(start: Start, visit: Visit) -> None:
    async with visit(start(**LARGE).url) as ann:
        await ann.come()
        await ann.start()
        await ann.run("Watch")
        await ann.see_frames()
        await ann.stop()
        await ann.run("Cancel")
        await ann.see('"CancelRenderSuccess"')
        await ann.run("Watch")
        await ann.see('"CANCELLED"')
        progress = (await ann.answer())["renderProgress"]
        assert 0 < progress["framesRendered"] < 600
        assert progress["outputUrl"] is None


async def test_when_the_quota_is_reached_it_says_so(start: Start, visit: Visit) -> None:
    async with visit(start(quota_limit=1, **SMALL).url) as ann:
        await ann.come()
        await ann.start()
        await ann.run("Start")
        await ann.see('"RenderQuotaExceeded"')
        refusal = (await ann.answer())["startRender"]
        assert refusal["message"].startswith("Render quota exceeded. You can render up to 1 video")
        assert refusal["retryAfterSeconds"] > 0


async def test_watching_goes_on_when_the_server_was_killed_midway(start: Start, visit: Visit) -> None:
    first = start(**FULL)
    async with visit(first.url, excused=LOST) as ann:
        await ann.come()
        await ann.start()
        await ann.run("Watch")
        await ann.see_frames()
        async with ann.page.expect_event("requestfailed", timeout=PATIENCE_MS):
            first.end(signal.SIGKILL)
        assert (await ann.answer())["renderProgress"]["status"] == "RENDERING"
        start(after=first, **FULL)
        await ann.see('"COMPLETE"')
        await expect(ann.page.get_by_role("button", name="Execute query")).to_be_visible()


async def test_the_documentation_and_the_explorer_open(start: Start, visit: Visit) -> None:
    async with visit(start(**SMALL).url) as ann:
        await ann.come()
        await ann.page.get_by_role("button", name="Show Documentation Explorer").click()
        await ann.see("subscription: Subscription", where=".graphiql-doc-explorer")
        await ann.page.get_by_role("button", name="Show GraphiQL Explorer").click()
        await ann.see("renderQuota", where=".docExplorerWrap")


async def test_a_reload_keeps_what_was_written(start: Start, visit: Visit) -> None:
    async with visit(start(**SMALL).url) as ann:
        await ann.come()
        render_id = await ann.start()
        await ann.page.wait_for_url(f"**/*{render_id}*")
        await ann.page.reload()
        await ann.run("Watch")
        await ann.see('"renderProgress"')
        assert render_id in ann.page.url


async def test_operations_are_run_by_keyboard(start: Start, visit: Visit) -> None:
    async with visit(start(**SMALL).url) as ann:
        await ann.come()
        press = ann.page.keyboard.press
        lines = FIRST_OPERATIONS.read_text().splitlines()

        async def run(first_line: str) -> None:
            """Move the cursor to an operation and press what runs it."""
            await press("Control+Home")
            for _ in range(lines.index(first_line)):
                await press("ArrowDown")
            await press("Control+Enter")

        while not await ann.page.evaluate(f"document.activeElement.closest('{EDITOR}') !== null"):
            await press("Tab")
        await run("mutation Start {")
        await ann.see('"StartRenderSuccess"')
        await ann.see((await ann.answer())["startRender"]["render"]["id"], where=VARIABLES)
        await run("subscription Watch($renderId: ID!) {")
        await ann.see('"COMPLETE"')


async def test_tab_leads_into_every_editor_and_out_of_it_and_arrow_keys_scroll(start: Start, visit: Visit) -> None:
    async with visit(start(**SMALL).url) as ann:
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
        await ann.tab_to(named("textbox", name="Answer", exact=True))
        await ann.tab_to(named("textbox", name="Variables", exact=True), "Shift+Tab")
        await ann.tab_to(named("textbox", name="Query", exact=True), "Shift+Tab")
        await ann.button("Headers").click()
        await ann.tab_to(named("textbox", name="Headers", exact=True))
        assert await scroller.evaluate("it => it.parentNode.CodeMirror.getValue()") == FIRST_OPERATIONS.read_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_at_any_width(start: Start, visit: Visit, scheme: str) -> None:
    async with visit(start(**SMALL).url, bypass_csp=True, color_scheme=scheme) as ann:  # for axe alone
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
        await assert_axe_finds_nothing(page)


async def test_it_fits_on_a_phone(start: Start, visit: Visit) -> None:
    async with visit(start(**SMALL).url, viewport=PHONE, is_mobile=True, has_touch=True) as ann:
        await ann.come()
        await ann.start()
        await ann.run("Watch")
        await ann.see('"COMPLETE"')
        editor, answer = [await ann.page.locator(part).bounding_box() for part in (EDITOR, ANSWER)]
        assert editor is not None
        assert answer is not None
        assert min(editor["width"], answer["width"]) > PHONE["width"] * 0.7
        assert min(editor["height"], answer["height"]) > PHONE["height"] * 0.3
        assert editor["y"] + editor["height"] < answer["y"] < answer["y"] + answer["height"] < PHONE["height"]
        assert await ann.page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


async def take_picture(page: Page, path: str) -> None:
    """Show the operations in the editor, then save what is seen."""
    await page.locator(f"{EDITOR} .CodeMirror").evaluate(
        "it => it.CodeMirror.scrollTo(0, it.CodeMirror.heightAtLine(18, 'local'))"
    )
    await page.screenshot(path=path)
