"""The studio when its connection breaks, and when its parts come from elsewhere."""

import re
import signal

import pytest
from playwright.async_api import expect

from pages.graphiql import CDN
from services.settings import CHECKOUT
from tests.browser.conftest import Visit
from tests.browser.sites import FULL, LARGE, SMALL
from tests.browser.visitors import (
    LOST,
    NEEDS_BROWSER,
    PATIENCE_MS,
)
from tests.end_to_end.processes import Start

pytestmark = [pytest.mark.asyncio(loop_scope="module"), NEEDS_BROWSER]


async def test_a_reload_midway_finds_the_bar_where_it_was(start: Start, visit: Visit) -> None:
    async with visit(start(**LARGE).url) as ann:
        await ann.come()
        await ann.render(seconds=20)
        before = await ann.see_progress(2)
        await ann.page.reload()
        after = await ann.see_progress(before)
        assert before <= after < 100
        await ann.see_progress(after + 1)  # and it goes on


async def test_a_page_resumes_when_the_server_was_killed_midway(start: Start, visit: Visit) -> None:
    first = start(**FULL)
    async with visit(first.url, excused=LOST) as ann:
        await ann.come()
        await ann.page.evaluate("""() => {
            window.seen = [];
            const bar = () => document.querySelector("progress:not([hidden])");
            new MutationObserver(() => { if (bar()) window.seen.push(bar().value); })
                .observe(document.querySelector("#renders"), {subtree: true, childList: true, attributes: true});
        }""")
        card = await ann.render(seconds=20)
        await ann.see_progress(5)
        first.end(signal.SIGKILL)
        await expect(ann.connection).to_have_text("Offline. Trying again…", timeout=PATIENCE_MS)
        await expect(ann.bar).to_be_visible()
        start(after=first, **FULL)
        await ann.hurry()
        await expect(ann.connection).to_have_text("Live", timeout=PATIENCE_MS)
        await expect(card.get_by_text("Done")).to_be_visible(timeout=PATIENCE_MS)
        seen = await ann.page.evaluate("window.seen")
        assert seen == sorted(seen)


async def test_a_start_that_was_asked_for_without_a_connection_comes_about_once(start: Start, visit: Visit) -> None:
    first = start(**SMALL)
    async with visit(first.url, excused=LOST) as ann:
        await ann.come()
        first.end(signal.SIGKILL)
        await expect(ann.connection).to_have_text("Offline. Trying again…", timeout=PATIENCE_MS)
        await ann.button("Render").click()
        await ann.button("Starting…").click()
        start(after=first, **SMALL)
        await ann.hurry()
        await expect(ann.cards).to_have_count(1, timeout=PATIENCE_MS)
        await expect(ann.page.get_by_text("4 of 5 renders left")).to_be_visible(timeout=PATIENCE_MS)


async def test_without_node_it_takes_graphql_ws_from_the_cdn_and_says_what_to_do_if_that_is_out_of_reach(
    start: Start, visit: Visit
) -> None:
    file = CHECKOUT / "web" / "node_modules" / "graphql-ws" / "umd" / "graphql-ws.min.js"
    async with visit(start(**SMALL, web_dir="nowhere").url, excused=("ERR_FAILED",)) as ann:
        await ann.open("/")
        await expect(ann.page.get_by_role("alert")).to_contain_text("npm ci --prefix web", timeout=PATIENCE_MS)
        [refused] = ann.complaints
        assert refused.startswith(f"asked for {CDN}graphql-ws@")
        ann.complaints.clear()

        cors = {"Access-Control-Allow-Origin": "*"}
        await ann.page.route(re.compile(re.escape(CDN)), lambda route: route.fulfill(path=file, headers=cors))
        await ann.page.reload()
        await expect(ann.connection).to_have_text("Live", timeout=PATIENCE_MS)
