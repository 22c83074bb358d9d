"""The studio as a person uses it: in Debian's Chromium, on the real `rendercast dev`, with no other host within reach.

Where a test must hold a render at one state, a backend of tests/support/fakes.py renders behind the same server.
"""

import re
from pathlib import Path

import pytest
from playwright.async_api import Request, Route, expect

from tests.browser.conftest import Visit
from tests.browser.sites import LARGE, SMALL, open_faked
from tests.browser.visitors import (
    NEEDS_BROWSER,
    PATIENCE_MS,
)
from tests.end_to_end.processes import Start
from tests.support.api_client import open_client

pytestmark = [pytest.mark.asyncio(loop_scope="module"), NEEDS_BROWSER]


async def test_a_first_visitor_starts_a_render_watches_it_to_its_end_and_plays_it(start: Start, visit: Visit) -> None:
    async with visit(start(**SMALL).url) as ann:
        await ann.come()
        await expect(ann.page).to_have_title("Rendercast")
        await expect(ann.page.get_by_text("Nothing here yet.")).to_be_visible()
        await expect(ann.page.get_by_text("5 of 5 renders left")).to_be_visible()

        card = await ann.render("Fish & <b>chips</b>", seconds=4, style="Typewriter")
        await expect(card.get_by_text("Done")).to_be_visible(timeout=PATIENCE_MS)
        await expect(card).to_contain_text(re.compile(r"Typewriter · 4 s · Inter 96 · .* · \d+ kB · \$0"))
        await expect(ann.page.locator("[aria-live]")).to_have_text("“Fish & <b>chips</b>” is done.")
        await expect(ann.page.get_by_text("4 of 5 renders left")).to_be_visible()
        await expect(card.locator("video")).to_have_count(0)  # nothing is loaded before somebody wants it
        poster = card.locator("img")
        await expect(poster).to_have_js_property("naturalWidth", 640, timeout=PATIENCE_MS)
        assert await poster.bounding_box() == await card.locator(".screen").bounding_box()

        await ann.button("Play “Fish & <b>chips</b>”").click()
        video = card.locator("video")
        await expect(video).to_have_js_property("duration", 4, timeout=PATIENCE_MS)
        await expect(video).to_have_js_property("videoWidth", 640)
        await expect(video).to_be_focused()
        await expect(video).to_have_attribute("poster", re.compile(r"/files/\w+\.jpg\?"))
        await expect(poster).to_have_count(0)
        await ann.page.wait_for_function("document.querySelector('video').currentTime > 0", timeout=PATIENCE_MS)

        async with ann.page.expect_download() as downloading:
            await card.get_by_role("link", name="Download").click()
        assert (await (await downloading.value).path()).read_bytes()[4:8] == b"ftyp"

        await ann.button(re.compile("^Delete")).click()
        await ann.button("Keep it").click()
        await expect(card).to_be_visible()
        await ann.button(re.compile("^Delete")).click()
        await ann.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        await expect(ann.cards).to_have_count(0, timeout=PATIENCE_MS)
        await ann.page.reload()
        await expect(ann.page.get_by_text("Nothing here yet.")).to_be_visible(timeout=PATIENCE_MS)


async def test_a_render_is_cancelled_and_tried_again(start: Start, visit: Visit) -> None:
    async with visit(start(**LARGE).url) as ann:
        await ann.come()
        card = await ann.render(seconds=20)
        await ann.see_progress()
        await expect(card).to_contain_text(re.compile(r"\d+% · \d+ of 600 frames · about \d+ \w+ left"))
        await card.get_by_role("button", name="Cancel “Hello”").click()
        await expect(card.get_by_text("Cancelled", exact=True)).to_be_visible(timeout=PATIENCE_MS)
        await expect(ann.bar).to_have_count(0)
        await card.get_by_role("button", name="Retry").click()
        await expect(ann.cards).to_have_count(2, timeout=PATIENCE_MS)
        await expect(ann.cards.first.get_by_role("button", name="Cancel")).to_be_visible()
        await card.last.get_by_role("button", name="Retry").click()
        await expect(card.last).to_contain_text("tried again already", timeout=PATIENCE_MS)


async def test_each_step_of_a_render_is_shown_to_its_failure_which_is_said_in_words(
    tmp_path: Path, visit: Visit
) -> None:
    async with open_faked(tmp_path) as site, visit(site.url) as ann:
        await ann.come()
        card = await ann.render()
        await expect(card).to_contain_text(
            re.compile("Rendering Starting the renderer.*0% · 0 of 90 frames"), timeout=PATIENCE_MS
        )
        [render_id] = site.backend.starts
        site.backend.progress(render_id, 30)
        await expect(card).to_contain_text(
            re.compile(r"Rendering Drawing frames.*\d+% · 30 of 90 frames"), timeout=PATIENCE_MS
        )
        site.backend.break_down(render_id, retryable=False)
        await expect(card.get_by_text("Failed", exact=True)).to_be_visible(timeout=PATIENCE_MS)
        await expect(card.get_by_text("It broke.")).to_be_visible()
        await expect(ann.page.locator("[aria-live]")).to_have_text("“Hello” failed. It broke.")


async def test_a_place_in_the_queue_moves_up_though_no_message_tells_so(tmp_path: Path, visit: Visit) -> None:
    async with open_faked(tmp_path) as site, visit(site.url) as ann, open_client(site.url) as elsewhere:
        site.backend.capacity = 0
        first = await elsewhere.started(text="First")
        await ann.come()
        second = await ann.render("Second")
        await expect(second).to_contain_text("Number 2 in the queue", timeout=PATIENCE_MS)
        await expect(ann.card("First")).to_contain_text("Next in the queue")
        site.backend.capacity = 1
        await elsewhere.until(first, status="RENDERING")
        await expect(second).to_contain_text("Next in the queue", timeout=PATIENCE_MS)


async def test_when_the_quota_is_reached_it_says_so_and_when_there_is_more(start: Start, visit: Visit) -> None:
    async with visit(start(quota_limit=1, **SMALL).url) as ann:
        await ann.come()
        await ann.render(seconds=0.5)
        await expect(ann.page.get_by_text("0 of 1 render left")).to_be_visible(timeout=PATIENCE_MS)
        await ann.button("Render").click()
        await expect(ann.page.get_by_role("alert")).to_contain_text("Render quota exceeded.", timeout=PATIENCE_MS)
        await expect(ann.page.get_by_role("group", name="Quota")).to_contain_text(
            re.compile(r"again at .*, in \d+ (min|h)")
        )
        await expect(ann.cards).to_have_count(1)


async def test_what_is_wrong_with_the_input_is_said_where_it_is_wrong(start: Start, visit: Visit) -> None:
    async with visit(start(**SMALL).url) as ann:
        await ann.come()
        text = ann.page.get_by_label("Text", exact=True)
        color = ann.page.get_by_label("Text colour", exact=True)
        await text.fill(" ")
        await color.fill("blurple")
        await ann.button("Render").click()
        await expect(text).to_have_attribute("aria-invalid", "true", timeout=PATIENCE_MS)
        await expect(text).to_have_accessible_description(re.compile("Write some text to animate."))
        await expect(text).to_be_focused()
        await expect(color).to_have_accessible_description(
            "Give a CSS colour, such as #ff8800, rgb(255 136 0) or orange."
        )
        await text.fill("Better")
        await color.fill("orange")
        await expect(ann.page.get_by_label("Pick the text colour")).to_have_value("#ffa500")
        await ann.button("Render").click()
        await expect(ann.card("Better")).to_be_visible(timeout=PATIENCE_MS)
        await expect(ann.page.locator("[aria-invalid]")).to_have_count(0)


async def test_an_address_that_no_longer_works_is_replaced(start: Start, visit: Visit) -> None:
    asked: list[Request] = []

    async with visit(start(**SMALL).url, permissions=["clipboard-read", "clipboard-write"]) as ann:
        await ann.come()
        card = await ann.render(seconds=0.5)
        ann.excuse("404")

        async def lose_the_first(route: Route) -> None:
            asked.append(route.request)
            await (route.fulfill(status=404) if len(asked) == 1 else route.continue_())

        await ann.page.route("**/files/**", lose_the_first)
        await ann.button("Play “Hello”").click(timeout=PATIENCE_MS)
        await expect(card.locator("video")).to_have_js_property("duration", 0.5, timeout=PATIENCE_MS)
        assert len(asked) > 1

        await card.get_by_role("button", name="Copy link").click()
        await expect(card).to_contain_text("Link copied. It works until", timeout=PATIENCE_MS)
        link = await ann.page.evaluate("navigator.clipboard.readText()")
        assert (await ann.page.request.get(link)).headers["content-type"] == "video/mp4"


async def test_a_poster_that_can_not_be_loaded_leaves_the_drawing(start: Start, visit: Visit) -> None:
    async with visit(start(**SMALL).url, excused=("404",)) as ann:
        await ann.come()
        await ann.page.route(re.compile(r"\.jpg\?"), lambda route: route.fulfill(status=404))
        async with ann.page.expect_response(re.compile(r"\.jpg\?"), timeout=PATIENCE_MS):
            card = await ann.render(seconds=0.5)
        await expect(card.locator("img")).to_have_count(0, timeout=PATIENCE_MS)
        await expect(card.locator(".words")).to_be_visible()
