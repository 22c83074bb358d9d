"""The studio's choice of the output, and its players, with the text renderer of a real `rendercast dev`."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import Locator, expect

from tests.browser.conftest import Visit
from tests.browser.visitors import NEEDS_BROWSER, PHONE, TIMEOUT_MS, StudioUser, assert_accessible

pytestmark = [pytest.mark.asyncio(loop_scope="session"), NEEDS_BROWSER]


async def choose(ann: StudioUser, output: str, **options: str) -> None:
    """Choose a format and fill in the text fields of its options."""
    await ann.page.get_by_label("Format").select_option(output)
    for label, value in options.items():
        await ann.page.get_by_label(label.replace("_", " "), exact=True).fill(value)


async def assert_checkered(media: Locator) -> None:
    assert "conic-gradient" in await media.evaluate("(it) => getComputedStyle(it).backgroundImage")


async def test_an_output_is_downloaded_although_the_clock_of_the_device_is_wrong(shared_url: str, visit: Visit) -> None:
    async with visit(shared_url) as ann:
        await ann.page.clock.set_system_time(datetime.now(UTC) + timedelta(hours=2))  # its URLs seem to have expired
        await ann.open_studio()
        await ann.page.locator("#output summary").click()
        await choose(ann, "PNG", Frame="-1")
        card = await ann.render("Tomorrow", seconds=0.5)
        async with ann.page.expect_download() as downloading:
            await card.get_by_role("link", name="Download").click(timeout=TIMEOUT_MS)
        assert (await (await downloading.value).path()).read_bytes().startswith(b"\x89PNG")


async def test_each_kind_of_output_is_rendered_shown_and_downloaded(shared_url: str, visit: Visit) -> None:
    async with visit(shared_url, bypass_csp=True) as ann:  # for axe
        await ann.open_studio()
        await expect(ann.page.get_by_label("Composition", exact=True)).to_be_hidden()
        summary = ann.page.locator("#output summary")
        await expect(summary).to_have_text("Output: MP4, 320×180, 30 fps")
        await summary.click()

        await choose(ann, "WebM (VP9)", Width="160", Height="90", Frame_rate="10")
        await ann.page.get_by_role("checkbox", name="Transparent").check()
        await expect(summary).to_have_text("Output: WebM, 160×90, 10 fps, transparent")
        webm = await ann.render("Overlay", seconds=0.5)
        await expect(webm).to_contain_text("WebM 160×90 · transparent")
        await ann.button("Play “Overlay”").click(timeout=TIMEOUT_MS)
        await expect(webm.locator("video")).to_have_js_property("duration", 0.5, timeout=TIMEOUT_MS)
        await expect(webm.locator("video")).to_have_js_property("videoWidth", 160)
        await assert_checkered(webm.locator("video"))

        await choose(ann, "GIF", Every_nth_frame="3")
        await expect(summary).to_have_text("Output: GIF, 160×90, 10 fps")
        gif = await ann.render("Moving", seconds=0.5)
        await ann.button("Play “Moving”").click(timeout=TIMEOUT_MS)
        picture = gif.get_by_role("img", name="Animated image “Moving”")
        await expect(picture).to_be_focused()
        await expect(picture).to_have_js_property("naturalWidth", 160, timeout=TIMEOUT_MS)

        await choose(ann, "PNG", Width="", Height="", Frame="-1")
        await expect(summary).to_have_text("Output: PNG, 320×180, frame -1")
        still = await ann.render("Standing", seconds=0.5)
        await expect(still.locator("img")).to_have_js_property("naturalWidth", 320, timeout=TIMEOUT_MS)
        await ann.button("Enlarge “Standing”").click()
        await expect(still.get_by_role("img", name="Still “Standing”")).to_be_focused()
        async with ann.page.expect_download() as downloading:
            await still.get_by_role("link", name="Download").click()
        download = await downloading.value
        assert re.fullmatch(r"TextAnimation-\w+\.png", download.suggested_filename)
        assert (await download.path()).read_bytes().startswith(b"\x89PNG")

        await choose(ann, "MOV (ProRes)", Frame_rate="")
        await ann.page.get_by_label("Profile").select_option("P4444")
        mov = await ann.render("Original", seconds=0.5)
        await expect(mov).to_contain_text("This page can't show this format.", timeout=TIMEOUT_MS)
        await expect(ann.button("Play “Original”")).to_be_hidden()
        await assert_accessible(ann.page)


async def test_a_problem_of_the_output_is_shown_at_its_option_and_a_new_render_is_scrolled_to_on_a_phone(
    shared_url: str, visit: Visit
) -> None:
    async with visit(shared_url, viewport=PHONE, bypass_csp=True) as ann:
        await ann.open_studio()
        summary = ann.page.locator("#output summary")
        await summary.click()
        await choose(ann, "MP4 (H.264)", Width="161")
        await summary.click()
        await ann.button("Render").click()
        width = ann.page.get_by_label("Width", exact=True)
        await expect(width).to_be_focused(timeout=TIMEOUT_MS)
        await expect(width).to_have_accessible_description(re.compile("H.264 needs an even width"))
        await assert_accessible(ann.page)
        await width.fill("160")
        await expect(width).not_to_have_attribute("aria-invalid", "true")
        card = await ann.render("On a phone", seconds=0.5)
        await expect(card).to_be_in_viewport(ratio=0.9)
        assert await ann.page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
