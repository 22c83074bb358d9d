"""The studio's search, its filter by status, and long lists."""

import re
from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.sites import FakeSite, open_fake_site
from tests.browser.visitors import NEEDS_BROWSER, TIMEOUT_MS, assert_accessible_everywhere
from tests.support.api_client import CANCEL, Client, open_client

pytestmark = [pytest.mark.asyncio(loop_scope="session"), NEEDS_BROWSER]

# Fills the list with renders that the server does not have. Every seventh one is unfinished.
FILL: Final = """async (number) => {
  const load = (name) => import(document.querySelector(`link[href$='${name}.js']`).href);
  const [{ RenderList }, { RenderStore }] = await Promise.all([load("render-list"), load("render-store")]);
  const animationProps = {
    style: "TYPEWRITER", fontFamily: "Inter", fontSize: 96, fontWeight: 400, italic: false,
    color: "#fff", backgroundColor: "#123", durationInFrames: 90, fps: 30,
  };
  const shared = {
    revision: 1, phase: "RENDERING_FRAMES", progress: 30, framesRendered: 27, totalFrames: 90, batchId: null,
    estimatedCompletionAt: null, queuePosition: null, compositionId: "TextAnimation", cancelRequested: false,
    output: { format: "H264", kind: "VIDEO", contentType: "video/mp4", width: 1280, height: 720, fps: 30, scale: 1 },
    warnings: [], error: null, outputUrl: "#", downloadUrl: "#", outputUrlExpiresAt: "2030-01-01T00:00:00Z",
    outputSizeBytes: 10000, posterUrl: null, previewUrl: null, costUsd: null, createdAt: "2026-01-01T00:00:00Z",
  };
  const actions = { readTitle() {}, announce() {} };
  const list = new RenderList(document.querySelector("#renders"), actions, ({ id }) => id !== "00013");
  const store = window.store = new RenderStore((now, before) => (now ? list.show(now, store) : list.remove(before.id)));
  const render = (n) => ({
    ...shared, id: String(n).padStart(5, "0"), status: n % 7 ? "COMPLETE" : "RENDERING",
    animationProps: { ...animationProps, text: `Number ${n}` },
  });
  for (let n = 0; n < number; n++) store.merge(render((n * 389) % number)); // in any order
}"""


# Records what is announced to screen readers.
RECORD: Final = """() => {
  const place = document.querySelector("[aria-live]");
  window.announced = [];
  new MutationObserver(() => window.announced.push(place.textContent)).observe(place, { childList: true });
}"""


async def start_renders(site: FakeSite, client: Client) -> None:
    """Start a render that fails, one that waits, and 25 that are cancelled."""
    broken = await client.start_render(text="Broken")
    await client.until(broken, status="RENDERING")
    site.backend.break_down(broken, retryable=False)
    await client.until(broken, status="FAILED")
    await site.backend.stop_starting()
    await client.start_render(text="Waiting")
    for number in range(25):
        await client.execute(CANCEL, id=await client.start_render(text=f"Número {number}"))


async def test_renders_are_searched_and_filtered_by_status(tmp_path: Path, visit: Visit) -> None:
    async with (
        open_fake_site(tmp_path, quota_limit=100) as site,
        visit(site.url, bypass_csp=True) as ann,
        open_client(site.url) as elsewhere,
    ):
        await start_renders(site, elsewhere)
        await ann.open_studio()
        summary, search = ann.page.locator("#list-summary"), ann.page.get_by_role("searchbox")
        status = ann.page.get_by_label("Status")
        await expect(summary).to_have_text("The newest 20 renders.", timeout=TIMEOUT_MS)
        await ann.page.evaluate(RECORD)

        await status.select_option("Failed")  # the server has it, the page has not
        await expect(summary).to_have_text("1 failed render.", timeout=TIMEOUT_MS)
        await expect(ann.cards).to_have_count(1)
        await expect(ann.card("Broken")).to_be_visible()
        await status.select_option("All")
        await expect(ann.cards).to_have_count(20)
        await expect(ann.card("Broken")).to_be_hidden()  # there are renders between it and the others

        await search.fill("numero 3")
        await expect(summary).to_have_text("2 of the newest 20 renders match.")
        await expect(ann.cards.get_by_role("heading")).to_have_text(["Número 23", "Número 13"])
        await ann.button("Search older renders").click()
        await expect(summary).to_have_text("3 of 27 renders match.", timeout=TIMEOUT_MS)
        await expect(ann.page.get_by_role("heading", name="Número 3", exact=True)).to_be_focused()
        await search.fill("textanimation BROKEN")
        await expect(ann.cards.get_by_role("heading")).to_have_text(["Broken"])
        await search.fill("nothing")
        await expect(summary).to_have_text("0 of 27 renders match.")
        await expect(ann.page.locator("[aria-live]")).to_have_text("0 of 27 renders match.")
        await expect(ann.page.get_by_text("Nothing matches the search.")).to_be_visible()
        await assert_accessible_everywhere(ann.page)
        await ann.button("Show all").click()
        await expect(ann.cards).to_have_count(27)
        await expect(search).to_be_focused()
        await expect(ann.button("Show all")).to_be_hidden()

        await status.select_option("In progress")
        await expect(ann.cards.get_by_role("heading")).to_have_text(["Waiting"])
        await ann.cards.get_by_role("button", name="Cancel").click()
        await expect(ann.page.get_by_text("No unfinished renders.")).to_be_visible(timeout=TIMEOUT_MS)
        await status.select_option("Cancelled")
        await expect(ann.cards).to_have_count(26)
        started = await ann.render("New")
        await expect(started).to_be_visible(timeout=TIMEOUT_MS)  # the filter does not hide it
        await expect(ann.cards).to_have_count(28)
        await status.select_option("In progress")
        await expect(ann.cards).to_have_count(1)
        await started.get_by_role("button", name="Cancel").click()
        await expect(ann.cards).to_have_count(0, timeout=TIMEOUT_MS)
        await expect(ann.page).to_have_title("Rendercast")
        announced = await ann.page.evaluate("window.announced")
        assert [text for text in announced if text.startswith("Started")] == ["Started “New”."]


async def test_a_thousand_renders_are_sorted_and_only_those_near_the_view_are_drawn(page: Page) -> None:
    await page.evaluate(FILL, 1000)
    cards = page.locator("#renders > .card")
    await expect(cards).to_have_count(1000)
    await cards.first.locator(".preview-text").wait_for()  # `expect` describes the whole page if it has to wait
    titles = await page.locator("#renders h3").all_text_contents()
    assert titles == [f"Number {number}" for number in reversed(range(1000))]
    assert await page.locator("#renders .preview-text").count() < 20
    await expect(cards.filter(has_text=re.compile(r"Number 13\b"))).to_be_hidden()
    await cards.last.scroll_into_view_if_needed()
    await cards.last.locator(".preview-text").wait_for()
    await page.evaluate("for (const render of [...window.store]) window.store.remove(render.id)")
    await expect(cards).to_have_count(0)
