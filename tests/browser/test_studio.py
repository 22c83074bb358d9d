"""The studio in Debian's Chromium, on a real `rendercast dev`, with no access to other hosts.

A test that must hold a render in one state uses the backend of tests/support/fake_backend.py behind the same server.
"""

import re
from pathlib import Path

import pytest
from playwright.async_api import Page, Request, Route, expect

from tests.browser.conftest import Visit
from tests.browser.sites import SMALL, open_fake_site
from tests.browser.visitors import (
    NEEDS_BROWSER,
    TIMEOUT_MS,
    WITH_MOTION,
)
from tests.end_to_end.processes import Start
from tests.end_to_end.slow import SlowRenderers
from tests.support.api_client import open_client

pytestmark = [pytest.mark.asyncio(loop_scope="session"), NEEDS_BROWSER]


async def test_a_new_user_starts_a_render_follows_its_progress_and_plays_the_video(start: Start, visit: Visit) -> None:
    async with visit(start(**SMALL).url, **WITH_MOTION) as ann:
        await ann.open_studio()
        await expect(ann.page).to_have_title("Rendercast")
        await expect(ann.first_visit.get_by_role("listitem")).to_have_text(
            [re.compile("^Write"), re.compile("^Render"), re.compile("^Download")]
        )
        await expect(ann.page.get_by_text("5 of 5 renders left")).to_be_visible()

        card = await ann.render("Fish & <b>chips</b>", seconds=4, style="Typewriter")
        await expect(card.get_by_text("Done")).to_be_visible(timeout=TIMEOUT_MS)
        await expect(card).to_contain_text("Typewriter · 4 s · Inter 96 · MP4 320×180")
        await expect(card).to_contain_text(re.compile(r"\d+ kB · \d"))
        await expect(card).not_to_contain_text("$")  # this renderer reports no cost
        await expect(ann.first_visit).to_be_hidden()
        await expect(ann.page.locator("[aria-live]")).to_have_text("“Fish & <b>chips</b>” is done.")
        await expect(ann.page.get_by_text("4 of 5 renders left")).to_be_visible()
        await expect(ann.page.locator(".dot")).to_have_count(5)
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

        await ann.choose_more(card, "Delete")
        await ann.button("Keep it").click()
        await expect(card).to_be_visible()
        await ann.choose_more(card, "Delete")
        await ann.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        await expect(ann.cards).to_have_count(0, timeout=TIMEOUT_MS)
        await expect(ann.page.get_by_text("No renders.", exact=True)).to_be_visible()
        await ann.page.reload()
        await expect(ann.first_visit).to_be_visible(timeout=TIMEOUT_MS)


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
        await site.backend.stop_starting()
        first = await elsewhere.start_render(text="First")
        await ann.open_studio()
        second = await ann.render("Second")
        await expect(second).to_contain_text("Number 2 in the queue", timeout=TIMEOUT_MS)
        await expect(ann.card("First")).to_contain_text("Next in the queue")
        site.backend.capacity = 1
        await elsewhere.until(first, status="RENDERING")
        await expect(second).to_contain_text("Next in the queue", timeout=TIMEOUT_MS)


async def test_problems_of_the_input_are_shown_at_their_fields(shared_url: str, visit: Visit) -> None:
    async with visit(shared_url) as ann:
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
        await choose_font(ann.page)
        await ann.button("Render").click()
        await expect(ann.card("Better")).to_contain_text("Roboto Mono 96", timeout=TIMEOUT_MS)
        await expect(ann.page.locator("[aria-invalid]")).to_have_count(0)


async def choose_font(page: Page) -> None:
    """Choose Roboto Mono from the list of fonts, which shows each family in its own font."""
    font, weight = page.get_by_role("combobox", name="Font"), page.get_by_label("Weight")
    families = page.get_by_role("listbox", name="Families").get_by_role("option")
    await font.fill("noto")
    await expect(families.filter(has_text="Noto Sans Thai")).to_be_visible(timeout=TIMEOUT_MS)
    await expect(families.filter(has_text="Inter")).to_have_count(0)
    await font.fill("ROBOTO M")
    await expect(families).to_have_css("font-family", '"Sample Roboto Mono"', timeout=TIMEOUT_MS)
    await font.press("ArrowDown")
    await font.press("Enter")
    await expect(font).to_have_value("Roboto Mono")
    await expect(families).to_have_count(0)
    assert await weight.locator("option").all_inner_texts() == [
        *("Thin", "Extra light", "Light", "Regular", "Medium", "Semibold", "Bold"),
    ]
    await weight.select_option("Bold")
    await page.get_by_label("Italic").check()


async def test_an_expired_video_url_is_replaced(shared_url: str, visit: Visit) -> None:
    requests: list[Request] = []

    async with visit(shared_url, permissions=["clipboard-read", "clipboard-write"]) as ann:
        await ann.open_studio()
        card = await ann.render(seconds=0.5)
        ann.ignore_messages("404")

        async def fail_first(route: Route) -> None:
            requests.append(route.request)
            await (route.fulfill(status=404) if len(requests) == 1 else route.continue_())

        await ann.page.route("**/files/*.mp4?*", fail_first)
        await ann.button("Play “Hello”").click(timeout=TIMEOUT_MS)
        await expect(card.locator("video")).to_have_js_property("duration", 0.5, timeout=TIMEOUT_MS)
        assert len(requests) > 1

        await ann.choose_more(card, "Copy link")
        await expect(card).to_contain_text("Link copied. It expires at", timeout=TIMEOUT_MS)
        link = await ann.page.evaluate("navigator.clipboard.readText()")
        assert (await ann.page.request.get(link)).headers["content-type"] == "video/mp4"
        await ann.page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")  # without HTTPS
        await ann.choose_more(card, "Copy link")
        field = card.get_by_label("Link")
        await expect(field).to_be_focused(timeout=TIMEOUT_MS)
        await expect(field).to_have_value(link)


async def test_a_poster_that_fails_to_load_leaves_the_preview_visible(shared_url: str, visit: Visit) -> None:
    async with visit(shared_url, ignored=("404",)) as ann:
        await ann.open_studio()
        await ann.page.route(re.compile(r"\.jpg\?"), lambda route: route.fulfill(status=404))
        async with ann.page.expect_response(re.compile(r"\.jpg\?"), timeout=TIMEOUT_MS):
            card = await ann.render("Without a poster", seconds=0.5)
        await expect(card.locator("img")).to_have_count(0, timeout=TIMEOUT_MS)
        await expect(card.locator(".preview-text")).to_be_visible()
