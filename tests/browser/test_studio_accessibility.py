"""The studio by keyboard, on a phone, in light and dark mode, and axe's accessibility rules.

SCREENSHOTS=docs/images replaces the screenshots.
"""

import asyncio
import os
from pathlib import Path

import pytest
from playwright.async_api import FloatRect, Page, expect

from tests.browser.conftest import Visit
from tests.browser.sites import FULL, SMALL, open_fake_site
from tests.browser.visitors import (
    DESKTOP,
    NEEDS_BROWSER,
    OFFLINE_MESSAGES,
    PHONE,
    TIMEOUT_MS,
    WITH_MOTION,
    assert_accessible,
    assert_accessible_everywhere,
    screenshot_path,
)
from tests.end_to_end.processes import Start
from tests.end_to_end.slow import SlowRenderers

TOP = FloatRect(x=0, y=0, width=DESKTOP["width"], height=400)
MIN_TARGET = 24  # CSS pixels; WCAG 2.2, success criterion 2.5.8

# Sets a promise of the style of a preview and the number of its animations when it starts. They end two seconds later.
WATCH_START = """(preview) => {
    window.started = new Promise((resolve) => {
        const report = () => {
            const { style } = preview.dataset;
            if (style) resolve([style, preview.getAnimations({ subtree: true }).length]);
        };
        new MutationObserver(report).observe(preview, { attributeFilter: ["data-style"] });
    });
}"""

pytestmark = [pytest.mark.asyncio(loop_scope="session"), NEEDS_BROWSER]


async def test_the_studio_works_by_keyboard(shared_url: str, visit: Visit) -> None:
    async with visit(shared_url) as ann:
        await ann.open_studio()
        press = ann.page.keyboard.press
        tab_to = ann.tab_to
        await tab_to("textbox", "Text")
        await press("Control+A")
        await ann.page.keyboard.type("Keys")
        await tab_to("radio", "Typewriter")
        await press("ArrowRight")
        await expect(ann.page.get_by_role("radio", name="Slide up")).to_be_checked()
        await tab_to("slider", "Duration")
        await press("Home")
        await tab_to("button", "Render")
        await press("Enter")
        await expect(ann.button("Play “Keys”")).to_be_visible(timeout=TIMEOUT_MS)
        await tab_to("button", "Play “Keys”")
        await press("Enter")
        await expect(ann.page.locator("video")).to_be_focused(timeout=TIMEOUT_MS)
        await expect(ann.page.locator("video")).to_have_js_property("duration", 0.5, timeout=TIMEOUT_MS)
        await ann.tab_to_element(ann.cards.locator("summary"))
        await press("Enter")
        await tab_to("button", "Delete “Keys”")
        await press("Escape")
        await expect(ann.button("Delete “Keys”")).to_be_hidden()
        await press("Enter")
        await tab_to("button", "Delete “Keys”")
        await press("Enter")
        await tab_to("button", "Delete")
        await press("Enter")
        await expect(ann.cards).to_have_count(0, timeout=TIMEOUT_MS)
        await expect(ann.page.get_by_role("heading", name="Your renders")).to_be_focused()


async def test_it_is_accessible_in_light_and_dark_mode_and_on_a_phone(
    start: Start, visit: Visit, renderers: SlowRenderers
) -> None:
    size = FULL if "SCREENSHOTS" in os.environ else SMALL
    # Without the page's CSP, axe can be injected.
    async with visit(start(**size).url, bypass_csp=True, **WITH_MOTION) as ann:
        await ann.open_studio()
        await expect(ann.first_visit).to_be_visible(timeout=TIMEOUT_MS)
        await expect(ann.page.locator("#preview .preview-drawing")).to_be_visible(timeout=TIMEOUT_MS)
        await ann.page.screenshot(path=screenshot_path("studio-first-visit"), clip=TOP)
        await ann.render("Made with Rendercast", seconds=2, style="Scale")
        await ann.button("Play “Made with Rendercast”").click(timeout=TIMEOUT_MS)
        await ann.page.wait_for_function("document.querySelector('video').ended", timeout=TIMEOUT_MS)
        await ann.page.get_by_label("Background", exact=True).fill("#7c2d12")
        await ann.page.emulate_media(reduced_motion="reduce")  # the progress bar is not drawn between two values
        renderers.slow_down()
        await ann.render("Your text\nas a video", seconds=20, style="Typewriter")
        await ann.wait_for_progress(20)
        await ann.page.evaluate("scrollTo(0, 0)")
        await ann.page.screenshot(path=screenshot_path("studio-light"))
        await ann.page.emulate_media(color_scheme="dark")
        await ann.page.screenshot(path=screenshot_path("studio-dark"))
        await ann.page.set_viewport_size(PHONE)
        await ann.page.get_by_role("heading", name="Your renders").evaluate("(it) => it.scrollIntoView()")
        await ann.page.screenshot(path=screenshot_path("studio-phone"))
        await assert_accessible(ann.page)
        await ann.cards.last.locator("summary").click()
        await ann.page.emulate_media(color_scheme="light")
        await assert_accessible(ann.page)
        assert await ann.page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
        await assert_targets_are_large_enough(ann.page)
        await ann.page.set_viewport_size(DESKTOP)
        await assert_accessible(ann.page)


async def test_the_empty_failed_and_invalid_states_are_accessible(tmp_path: Path, visit: Visit) -> None:
    async with (
        open_fake_site(tmp_path, quota_limit=4) as site,
        visit(site.url, bypass_csp=True, ignored=OFFLINE_MESSAGES) as ann,
    ):
        await ann.open_studio()
        await expect(ann.first_visit).to_be_visible(timeout=TIMEOUT_MS)
        await assert_accessible_everywhere(ann.page)
        await ann.button("Render").click()
        await expect(ann.cards).to_contain_text("Starting the renderer", timeout=TIMEOUT_MS)
        site.backend.break_down(site.backend.starts[0], retryable=False)
        await expect(ann.page.get_by_text("It broke.", exact=True)).to_be_visible(timeout=TIMEOUT_MS)
        await ann.page.get_by_label("Font").fill("")
        await ann.button("Render").click()
        await expect(ann.page.get_by_text("Name a font family")).to_be_visible(timeout=TIMEOUT_MS)
        await assert_accessible_everywhere(ann.page)
        await ann.choose_more(ann.cards, "Delete")
        await assert_accessible_everywhere(ann.page)


async def assert_targets_are_large_enough(page: Page) -> None:
    small = await page.evaluate(
        """(minimum) => [...document.querySelectorAll("a, button, input, textarea")]
            .filter((it) => it.checkVisibility() && !it.matches(".skip"))
            .filter((it) => Math.min(it.getBoundingClientRect().width, it.getBoundingClientRect().height) < minimum)
            .map((it) => it.outerHTML)""",
        MIN_TARGET,
    )
    assert small == []


async def test_with_reduced_motion_the_preview_is_static_until_it_is_played(shared_url: str, visit: Visit) -> None:
    async with visit(shared_url, reduced_motion="reduce") as ann:
        await ann.open_studio()
        preview = ann.page.get_by_role("img", name="Preview of “Hello! Drawn while you watch.”")
        await expect(preview).to_be_visible()
        animations = "(it) => it.getAnimations({ subtree: true }).length"
        assert await preview.evaluate(animations) == 0
        await preview.evaluate(WATCH_START)
        await ann.button("Play preview").click()
        async with asyncio.timeout(TIMEOUT_MS / 1000):
            style, number = await ann.page.evaluate("started")
        assert style == "TYPEWRITER"
        assert number > 0


async def test_a_preview_that_is_about_to_play_plays_although_its_size_changes(shared_url: str, visit: Visit) -> None:
    async with visit(shared_url, reduced_motion="reduce") as ann:
        await ann.open_studio()
        await ann.page.locator("#output summary").click()
        width = ann.page.get_by_label("Width", exact=True)
        await width.evaluate(
            """(input) => {
                document.querySelector("#play-preview").click();
                input.value = "160";
                input.dispatchEvent(new Event("input", { bubbles: true }));
            }"""
        )
        await expect(ann.page.locator("#preview")).to_have_attribute("data-style", "TYPEWRITER", timeout=TIMEOUT_MS)
