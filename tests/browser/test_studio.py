"""The studio in Debian's Chromium, on a real `rendercast dev`, with no access to other hosts.

A test that must hold a render in one state uses the backend of tests/support/fake_backend.py behind the same server.
"""

import re
from pathlib import Path

import pytest
from playwright.async_api import Request, Route, expect

from tests.browser.conftest import Visit
from tests.browser.sites import SMALL, open_fake_site
from tests.browser.visitors import (
    NEEDS_BROWSER,
    TIMEOUT_MS,
)
from tests.end_to_end.processes import Start
from tests.end_to_end.slow import SlowRenderers
from tests.support.api_client import open_client

pytestmark = [pytest.mark.asyncio(loop_scope="module"), NEEDS_BROWSER]


async def test_a_new_user_starts_a_render_follows_its_progress_and_plays_the_video(start: Start, visit: Visit) -> None:
    async with visit(start(**SMALL).url) as ann:
        await ann.open_studio()
        await expect(ann.page).to_have_title("Rendercast")
        await expect(ann.page.get_by_text("No renders yet.")).to_be_visible()
        await expect(ann.page.get_by_text("5 of 5 renders left")).to_be_visible()

        card = await ann.render("Fish & <b>chips</b>", seconds=4, style="Typewriter")
        await expect(card.get_by_text("Done")).to_be_visible(timeout=TIMEOUT_MS)
        await expect(card).to_contain_text(re.compile(r"Typewriter · 4 s · Inter 96 · .* · \d+ kB · \$0"))
        await expect(ann.page.locator("[aria-live]")).to_have_text("“Fish & <b>chips</b>” is done.")
        await expect(ann.page.get_by_text("4 of 5 renders left")).to_be_visible()
        await expect(card.locator("video")).to_have_count(0)  # no video is loaded before it is played
        poster = card.locator("img")
        await expect(poster).to_have_js_property("naturalWidth", 320, timeout=TIMEOUT_MS)
        assert await poster.bounding_box() == await card.locator(".preview").bounding_box()

        await ann.button("Play “Fish & <b>chips</b>”").click()
        video = card.locator("video")
        await expect(video).to_have_js_property("duration", 4, timeout=TIMEOUT_MS)
        await expect(video).to_have_js_property("videoWidth", 320)
        await expect(video).to_be_focused()
        await expect(video).to_have_attribute("poster", re.compile(r"/files/\w+\.jpg\?"))
        await expect(poster).to_have_count(0)
        await ann.page.wait_for_function("document.querySelector('video').currentTime > 0", timeout=TIMEOUT_MS)

        async with ann.page.expect_download() as downloading:
            await card.get_by_role("link", name="Download").click()
        assert (await (await downloading.value).path()).read_bytes()[4:8] == b"ftyp"

        await ann.button(re.compile("^Delete")).click()
        await ann.button("Keep it").click()
        await expect(card).to_be_visible()
        await ann.button(re.compile("^Delete")).click()
        await ann.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        await expect(ann.cards).to_have_count(0, timeout=TIMEOUT_MS)
        await ann.page.reload()
        await expect(ann.page.get_by_text("No renders yet.")).to_be_visible(timeout=TIMEOUT_MS)


async def test_a_render_is_cancelled_and_retried(start: Start, visit: Visit, renderers: SlowRenderers) -> None:
    renderers.slow_down()
    async with visit(start(**SMALL).url) as ann:
        await ann.open_studio()
        card = await ann.render(seconds=20)
        await ann.wait_for_progress()
        await expect(card).to_contain_text(re.compile(r"\d+% · \d+ of 600 frames · about \d+ \w+ left"))
        await card.get_by_role("button", name="Cancel “Hello”").click()
        await expect(card.get_by_text("Cancelled", exact=True)).to_be_visible(timeout=TIMEOUT_MS)
        await expect(ann.bar).to_have_count(0)
        await card.get_by_role("button", name="Retry").click()
        await expect(ann.cards).to_have_count(2, timeout=TIMEOUT_MS)
        await expect(ann.cards.first.get_by_role("button", name="Cancel")).to_be_visible()
        await card.last.get_by_role("button", name="Retry").click()
        await expect(card.last).to_contain_text("already been retried", timeout=TIMEOUT_MS)


async def test_each_phase_of_a_render_is_shown_and_then_the_message_of_its_failure(
    tmp_path: Path, visit: Visit
) -> None:
    async with open_fake_site(tmp_path) as site, visit(site.url) as ann:
        await ann.open_studio()
        card = await ann.render()
        await expect(card).to_contain_text(
            re.compile("Rendering Starting the renderer.*0% · 0 of 90 frames"), timeout=TIMEOUT_MS
        )
        [render_id] = site.backend.starts
        site.backend.progress(render_id, 30)
        await expect(card).to_contain_text(
            re.compile(r"Rendering Drawing frames.*\d+% · 30 of 90 frames"), timeout=TIMEOUT_MS
        )
        site.backend.break_down(render_id, retryable=False)
        await expect(card.get_by_text("Failed", exact=True)).to_be_visible(timeout=TIMEOUT_MS)
        await expect(card.get_by_text("It broke.")).to_be_visible()
        await expect(ann.page.locator("[aria-live]")).to_have_text("“Hello” failed. It broke.")


async def test_the_queue_position_is_updated_without_a_subscription_message(tmp_path: Path, visit: Visit) -> None:
    async with open_fake_site(tmp_path) as site, visit(site.url) as ann, open_client(site.url) as elsewhere:
        site.backend.capacity = 0
        first = await elsewhere.start_render(text="First")
        await ann.open_studio()
        second = await ann.render("Second")
        await expect(second).to_contain_text("Number 2 in the queue", timeout=TIMEOUT_MS)
        await expect(ann.card("First")).to_contain_text("Next in the queue")
        site.backend.capacity = 1
        await elsewhere.until(first, status="RENDERING")
        await expect(second).to_contain_text("Next in the queue", timeout=TIMEOUT_MS)


async def test_an_exhausted_quota_shows_an_error_and_the_time_of_the_reset(start: Start, visit: Visit) -> None:
    async with visit(start(quota_limit=1, **SMALL).url) as ann:
        await ann.open_studio()
        await ann.render(seconds=0.5)
        await expect(ann.page.get_by_text("0 of 1 render left")).to_be_visible(timeout=TIMEOUT_MS)
        await ann.button("Render").click()
        await expect(ann.page.get_by_role("alert")).to_contain_text("Render quota exceeded.", timeout=TIMEOUT_MS)
        await expect(ann.page.get_by_role("group", name="Quota")).to_contain_text(
            re.compile(r"Resets at .*, in \d+ (min|h)")
        )
        await expect(ann.cards).to_have_count(1)


async def test_problems_of_the_input_are_shown_at_their_fields(start: Start, visit: Visit) -> None:
    async with visit(start(**SMALL).url) as ann:
        await ann.open_studio()
        text = ann.page.get_by_label("Text", exact=True)
        color = ann.page.get_by_label("Text colour", exact=True)
        await text.fill(" ")
        await color.fill("blurple")
        await ann.button("Render").click()
        await expect(text).to_have_attribute("aria-invalid", "true", timeout=TIMEOUT_MS)
        await expect(text).to_have_accessible_description(re.compile("Write some text to animate."))
        await expect(text).to_be_focused()
        await expect(color).to_have_accessible_description(
            "Give a CSS colour, such as #ff8800, rgb(255 136 0) or orange."
        )
        await text.fill("Better")
        await color.fill("orange")
        await expect(ann.page.get_by_label("Pick the text colour")).to_have_value("#ffa500")
        await ann.button("Render").click()
        await expect(ann.card("Better")).to_be_visible(timeout=TIMEOUT_MS)
        await expect(ann.page.locator("[aria-invalid]")).to_have_count(0)


async def test_an_expired_video_url_is_replaced(start: Start, visit: Visit) -> None:
    requests: list[Request] = []

    async with visit(start(**SMALL).url, permissions=["clipboard-read", "clipboard-write"]) as ann:
        await ann.open_studio()
        card = await ann.render(seconds=0.5)
        ann.ignore_messages("404")

        async def fail_first(route: Route) -> None:
            requests.append(route.request)
            await (route.fulfill(status=404) if len(requests) == 1 else route.continue_())

        await ann.page.route("**/files/**", fail_first)
        await ann.button("Play “Hello”").click(timeout=TIMEOUT_MS)
        await expect(card.locator("video")).to_have_js_property("duration", 0.5, timeout=TIMEOUT_MS)
        assert len(requests) > 1

        await card.get_by_role("button", name="Copy link").click()
        await expect(card).to_contain_text("Link copied. It expires at", timeout=TIMEOUT_MS)
        link = await ann.page.evaluate("navigator.clipboard.readText()")
        assert (await ann.page.request.get(link)).headers["content-type"] == "video/mp4"


async def test_a_poster_that_fails_to_load_leaves_the_preview_visible(start: Start, visit: Visit) -> None:
    async with visit(start(**SMALL).url, ignored=("404",)) as ann:
        await ann.open_studio()
        await ann.page.route(re.compile(r"\.jpg\?"), lambda route: route.fulfill(status=404))
        async with ann.page.expect_response(re.compile(r"\.jpg\?"), timeout=TIMEOUT_MS):
            card = await ann.render(seconds=0.5)
        await expect(card.locator("img")).to_have_count(0, timeout=TIMEOUT_MS)
        await expect(card.locator(".preview-text")).to_be_visible()
