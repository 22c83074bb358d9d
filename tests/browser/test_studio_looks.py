"""The studio by keyboard, on a phone, in light and dark, and what axe finds in it.

SCREENSHOTS=docs/images takes the README's pictures again.
"""

import os
import re
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.sites import FULL, SMALL, open_faked
from tests.browser.visitors import (
    DESKTOP,
    LOST,
    NEEDS_BROWSER,
    PATIENCE_MS,
    PHONE,
    assert_axe_finds_nothing,
)
from tests.end_to_end.processes import Start

MIN_TARGET = 24  # CSS pixels; WCAG 2.2, success criterion 2.5.8

pytestmark = [pytest.mark.asyncio(loop_scope="module"), NEEDS_BROWSER]


async def test_all_of_it_works_by_keyboard(start: Start, visit: Visit) -> None:
    async with visit(start(**SMALL).url) as ann:
        await ann.come()
        press = ann.page.keyboard.press

        async def tab_to(role: str, name: str) -> None:
            wanted = ann.page.get_by_role(role, name=name, exact=True)  # type: ignore[arg-type]
            for _ in range(30):
                await press("Tab")
                if await wanted.evaluate("(it) => it === document.activeElement"):
                    return
            raise AssertionError(name)

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
        await expect(ann.button("Play “Keys”")).to_be_visible(timeout=PATIENCE_MS)
        await tab_to("button", "Play “Keys”")
        await press("Enter")
        await expect(ann.page.locator("video")).to_be_focused(timeout=PATIENCE_MS)
        await expect(ann.page.locator("video")).to_have_js_property("duration", 0.5, timeout=PATIENCE_MS)
        await tab_to("button", "Delete “Keys”")
        await press("Enter")
        await tab_to("button", "Delete")
        await press("Enter")
        await expect(ann.cards).to_have_count(0, timeout=PATIENCE_MS)
        await expect(ann.page.get_by_role("heading", name="Your renders")).to_be_focused()


async def test_it_looks_well_in_light_dark_and_on_a_phone_and_axe_finds_nothing(start: Start, visit: Visit) -> None:
    async with visit(start(**FULL).url, bypass_csp=True) as ann:  # for axe alone
        await ann.come()
        await ann.render("Made with Rendercast", seconds=2, style="Scale")
        await ann.button("Play “Made with Rendercast”").click(timeout=PATIENCE_MS)
        await ann.page.wait_for_function("document.querySelector('video').ended", timeout=PATIENCE_MS)
        await ann.page.get_by_label("Background", exact=True).fill("#7c2d12")
        await ann.render("Words on their way\nto being a video", seconds=20, style="Typewriter")
        await ann.see_progress(20)
        await ann.page.screenshot(path=picture("studio-light"))
        await ann.page.emulate_media(color_scheme="dark")
        await ann.page.screenshot(path=picture("studio-dark"))
        await ann.page.set_viewport_size(PHONE)
        await ann.page.get_by_role("heading", name="Your renders").evaluate("(it) => it.scrollIntoView()")
        await ann.page.screenshot(path=picture("studio-phone"))
        await assert_axe_finds_nothing(ann.page)
        await ann.page.emulate_media(color_scheme="light")
        await assert_axe_finds_nothing(ann.page)
        assert await ann.page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
        await assert_targets_are_large_enough(ann.page)
        await ann.page.set_viewport_size(DESKTOP)
        await assert_axe_finds_nothing(ann.page)


async def test_axe_finds_nothing_in_the_rarer_sights_either(tmp_path: Path, visit: Visit) -> None:
    async with (
        open_faked(tmp_path, quota_limit=4) as site,
        visit(site.url, bypass_csp=True, excused=LOST, color_scheme="dark") as ann,
    ):
        await ann.come()
        await assert_axe_finds_nothing(ann.page)
        await ann.button("Render").click()
        await expect(ann.cards).to_contain_text("Starting the renderer", timeout=PATIENCE_MS)
        site.backend.break_down(site.backend.starts[0], retryable=False)
        await expect(ann.page.get_by_text("It broke.", exact=True)).to_be_visible(timeout=PATIENCE_MS)
        await ann.page.get_by_label("Font").fill("")
        await ann.button("Render").click()
        await expect(ann.page.get_by_text("Name a font family")).to_be_visible(timeout=PATIENCE_MS)
        await assert_axe_finds_nothing(ann.page)
        await ann.button(re.compile("^Delete")).click()
        await assert_axe_finds_nothing(ann.page)


async def assert_targets_are_large_enough(page: Page) -> None:
    small = await page.evaluate(
        """(least) => [...document.querySelectorAll("a, button, input, textarea")]
            .filter((it) => it.checkVisibility() && !it.matches(".skip"))
            .filter((it) => Math.min(it.getBoundingClientRect().width, it.getBoundingClientRect().height) < least)
            .map((it) => it.outerHTML)""",
        MIN_TARGET,
    )
    assert small == []


def picture(name: str) -> Path | None:
    """Return where to keep a picture, if they are to be kept."""
    folder = os.environ.get("SCREENSHOTS")
    return None if folder is None else Path(folder) / f"{name}.png"


async def test_who_wants_less_motion_sees_the_preview_at_rest_until_asking_for_it(start: Start, visit: Visit) -> None:
    async with visit(start(**SMALL).url, reduced_motion="reduce") as ann:
        await ann.come()
        stage = ann.page.get_by_role("img", name="Preview of “Hello! Drawn while you watch.”")
        await expect(stage).to_be_visible()
        moving = "(it) => it.getAnimations({ subtree: true }).length"
        assert await stage.evaluate(moving) == 0
        await ann.button("Play preview").click()
        assert await stage.evaluate(moving) > 0
