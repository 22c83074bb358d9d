"""The page of one render in a browser, from the studio's "Share" to the video, and in light, dark and on a phone.

SCREENSHOTS=docs/images replaces the documentation's screenshots.
"""

import os
import re

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.conftest import Visit
from tests.browser.sites import FULL, SMALL
from tests.browser.test_studio_accessibility import assert_targets_are_large_enough
from tests.browser.visitors import (
    NEEDS_BROWSER,
    PHONE,
    TIMEOUT_MS,
    Visitor,
    assert_accessible,
    screenshot_path,
    visiting,
)
from tests.end_to_end.processes import Start
from tests.end_to_end.slow import SlowRenderers

pytestmark = [pytest.mark.asyncio(loop_scope="session"), NEEDS_BROWSER]

SCREENSHOTS = "SCREENSHOTS" in os.environ
TEXT = "Made with Rendercast"
LONG_TEXT = " ".join([TEXT] * 20)  # it moves for long: a text at rest is drawn quickly, also by slow renderers
SECONDS = 20 if SCREENSHOTS else 60  # slow renderers draw for half a minute, longer than the checks of the page last


async def test_a_shared_render_is_followed_and_then_played_without_an_account(
    start: Start, visit: Visit, browser: Browser, renderers: SlowRenderers
) -> None:
    renderers.slow_down()
    site = start(**(FULL if SCREENSHOTS else SMALL), max_duration_s=SECONDS).url
    permissions = ["clipboard-read", "clipboard-write"]
    async with visit(site, bypass_csp=True, permissions=permissions) as ann:
        await ann.open_studio()
        await expect(ann.page.get_by_label("Duration")).to_have_attribute("max", str(SECONDS))
        card = await ann.render(TEXT if SCREENSHOTS else LONG_TEXT, seconds=SECONDS, style="Typewriter")
        await ann.wait_for_progress()
        await ann.choose_more(card, "Share")
        dialog = ann.page.get_by_role("dialog", name=re.compile(f"^Share “{TEXT}"))
        await dialog.get_by_role("radio", name="7 days").check()
        await assert_accessible(ann.page)
        await ann.page.screenshot(path=screenshot_path("share-dialog"))
        await dialog.get_by_role("button", name="Copy link").click()
        await expect(dialog).to_contain_text("Link copied. It expires at", timeout=TIMEOUT_MS)
        link = await ann.page.evaluate("navigator.clipboard.readText()")
        await dialog.get_by_role("button", name="Close").click()
        await expect(dialog).to_have_count(0)
        path = link.removeprefix(site)
        assert re.fullmatch(r"/r/\w{26}\?token=rcr1\.[\w-]+\.[\w-]+", path)
        async with visiting(browser, lambda page: Visitor(page=page, site=site), bypass_csp=True) as bob:
            await bob.open(path)
            await bob.wait_for_progress(5)
            await expect(bob.page.get_by_role("img", name="Newest frame")).to_be_visible(timeout=TIMEOUT_MS)
            await expect(bob.page).to_have_title(re.compile(rf"^\d+% · {TEXT}"))
            await assert_accessible(bob.page)
            renderers.speed_up()
            video = bob.page.get_by_label(re.compile(f"^{TEXT}"))  # appears by itself
            await expect(video).to_have_js_property("duration", SECONDS, timeout=TIMEOUT_MS)
            await expect(bob.page).to_have_title(re.compile(f"^{TEXT}"))
            await assert_looks_right(bob.page)
            async with bob.page.expect_download() as download:
                await bob.page.get_by_role("link", name="Download").click()
            assert (await download.value).suggested_filename.startswith("TextAnimation-")
        no_script = {"java_script_enabled": False}
        async with visiting(browser, lambda page: Visitor(page=page, site=site), **no_script) as eve:
            await eve.open(path)
            await expect(eve.page.locator("video[controls]")).to_be_visible()
            await expect(eve.page.get_by_role("link", name="Download")).to_be_visible()


async def assert_looks_right(page: Page) -> None:
    """Check the page with axe in dark mode, and in light mode on a phone. Take screenshots."""
    await page.emulate_media(color_scheme="dark")
    await assert_accessible(page)
    if SCREENSHOTS:
        await page.wait_for_timeout(5000)  # Chromium's spinner on the video ends after its animation
    await page.screenshot(path=screenshot_path("share-dark"))
    await page.emulate_media(color_scheme="light")
    await page.screenshot(path=screenshot_path("share-light"))
    await page.set_viewport_size(PHONE)
    await assert_accessible(page)
    assert await page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    await assert_targets_are_large_enough(page)
    await page.screenshot(path=screenshot_path("share-phone"))
