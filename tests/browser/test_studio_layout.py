"""The studio's layout: what stays in view, what does not move, and long texts, zoom and narrow windows."""

import re
from pathlib import Path

import pytest
from playwright.async_api import FloatRect, Locator, Page, ViewportSize, expect

from tests.browser.conftest import Visit
from tests.browser.sites import open_fake_site
from tests.browser.visitors import DESKTOP, NEEDS_BROWSER, PHONE, TIMEOUT_MS, assert_accessible
from tests.support.api_client import CANCEL, open_client

pytestmark = [pytest.mark.asyncio(loop_scope="session"), NEEDS_BROWSER]

LOW = ViewportSize(width=1100, height=560)
VERY_LOW = ViewportSize(width=1100, height=400)
ZOOMED = ViewportSize(width=720, height=450)  # a window of 1440 x 900 at 200 %
NARROWEST = ViewportSize(width=320, height=640)  # WCAG 2.2, success criterion 1.4.10
LONG = "Donaudampfschifffahrtsgesellschaftskapitän" * 11
RTL = "هذا نص طويل جدا يحكي قصة عن سفينة " * 14


async def box(locator: Locator) -> FloatRect:
    found = await locator.bounding_box()
    assert found is not None
    return found


async def assert_no_overflow(page: Page) -> None:
    assert await page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


async def test_on_a_phone_the_new_card_comes_into_view(tmp_path: Path, visit: Visit) -> None:
    async with open_fake_site(tmp_path) as site, visit(site.url, viewport=PHONE, has_touch=True) as ann:
        await ann.open_studio()
        await ann.button("Render").tap()
        card = ann.cards.first
        await expect(card.get_by_role("progressbar")).to_be_in_viewport(ratio=1, timeout=TIMEOUT_MS)
        await expect(card.get_by_role("button", name="Cancel")).to_be_in_viewport(ratio=1)


async def test_beside_a_long_list_the_form_stays_in_view(tmp_path: Path, visit: Visit) -> None:
    async with (
        open_fake_site(tmp_path, quota_limit=100) as site,
        visit(site.url) as ann,
        open_client(site.url) as elsewhere,
    ):
        await site.backend.stop_starting()
        for _ in range(20):
            await elsewhere.execute(CANCEL, id=await elsewhere.start_render(text=LONG))
        await ann.open_studio()
        await expect(ann.cards).to_have_count(20, timeout=TIMEOUT_MS)
        render, preview = ann.page.locator("#render"), ann.page.locator("#preview")
        for size, stays in ((DESKTOP, True), (LOW, True), (VERY_LOW, False)):
            await ann.page.set_viewport_size(size)
            await ann.page.evaluate("scrollTo(0, 0)")
            if stays:
                await expect(render).to_be_in_viewport(ratio=1)
            await ann.page.evaluate("scrollTo(0, document.body.scrollHeight)")
            await expect(ann.cards.last).to_be_in_viewport()
            await expect(render).to_be_in_viewport(ratio=1) if stays else await expect(render).not_to_be_in_viewport()
        await ann.page.set_viewport_size(DESKTOP)
        await ann.page.evaluate("scrollTo(0, document.body.scrollHeight)")
        await ann.page.get_by_label(
            "Format"
        ).scroll_into_view_if_needed()  # the last field, in the form's own scroll bar
        await expect(preview).to_be_in_viewport(ratio=0.99)
        await expect(render).to_be_in_viewport(ratio=1)
        await ann.page.get_by_label("Text", exact=True).fill("New")
        await render.click()
        await expect(ann.card("New")).to_be_in_viewport(ratio=1, timeout=TIMEOUT_MS)


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
async def test_a_card_keeps_its_size_and_its_picture_is_free(tmp_path: Path, visit: Visit, size: ViewportSize) -> None:
    async with open_fake_site(tmp_path) as site, visit(site.url, viewport=size, ignored=("404",)) as ann:
        await site.backend.stop_starting()
        await ann.open_studio()
        card = await ann.render("One")
        await expect(card).to_contain_text("queue", timeout=TIMEOUT_MS)
        await expect(ann.page).to_have_title("0% “One” – Rendercast")
        queued = await box(card)
        site.backend.capacity = 4
        await expect(card).to_contain_text("Starting the renderer", timeout=TIMEOUT_MS)
        [render_id] = site.backend.starts
        site.backend.progress(render_id, 45)
        await expect(card).to_contain_text("45 of 90 frames", timeout=TIMEOUT_MS)
        await expect(ann.page).to_have_title(re.compile(r"^[1-9]\d% “One” – Rendercast$"))
        rendering = await box(card)
        site.backend.finish(render_id)
        await expect(card).to_contain_text("Done", timeout=TIMEOUT_MS)
        await expect(ann.page).to_have_title("Rendercast")
        done = await box(card)
        assert queued["height"] == rendering["height"] == done["height"]
        picture, label = await box(card.locator(".preview-box")), await box(card.locator(".play-label"))
        assert label["y"] >= picture["y"] + picture["height"]
        assert (
            await card.locator(".preview").evaluate("(it) => getComputedStyle(it).backgroundColor")
            == "rgb(30, 58, 138)"
        )


async def test_long_texts_fit_a_zoomed_and_a_narrow_window(tmp_path: Path, visit: Visit) -> None:
    async with (
        open_fake_site(tmp_path) as site,
        visit(site.url, bypass_csp=True, viewport=ZOOMED, device_scale_factor=2) as ann,
        open_client(site.url) as elsewhere,
    ):
        await site.backend.stop_starting()
        for text in (LONG, RTL):
            await elsewhere.start_render(text=text[:480])
        await ann.open_studio()
        await expect(ann.cards).to_have_count(2, timeout=TIMEOUT_MS)
        await ann.page.get_by_label("Text", exact=True).fill(RTL)
        await ann.page.get_by_role("searchbox").fill("x" * 200)
        await ann.page.get_by_role("searchbox").fill("")
        await assert_no_overflow(ann.page)
        await assert_accessible(ann.page)
        await ann.page.set_viewport_size(NARROWEST)
        await ann.cards.first.locator("summary").click()
        await expect(ann.button(re.compile("^Share"))).to_be_in_viewport(ratio=1)
        await assert_no_overflow(ann.page)
        await assert_accessible(ann.page)
        heading = ann.cards.first.get_by_role("heading")
        assert await heading.evaluate("(it) => [getComputedStyle(it).direction, it.clientHeight < 30]") == ["rtl", True]
