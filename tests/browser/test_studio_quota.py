"""The studio when the quota is used up, with clocks that the test controls."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, expect

from services.clock import SystemClock
from tests.browser.conftest import Visit
from tests.browser.sites import FakeSite, open_fake_site
from tests.browser.visitors import NEEDS_BROWSER, TIMEOUT_MS, StudioUser, assert_accessible_everywhere, screenshot_path
from tests.support.api_client import open_client

pytestmark = [pytest.mark.asyncio(loop_scope="session"), NEEDS_BROWSER]

NOW = datetime(2026, 5, 1, 22, 20, 30, tzinfo=UTC)  # more than 39 minutes before the end of a window
NEW_YORK = {"timezone_id": "America/New_York", "locale": "en-US"}
USED_UP = "You have used all 2 renders of this hour."
MINUTES = r"3\d min"  # 39, or less on a slow machine


class ServerClock(SystemClock):
    """The server's clock: `shift` can be changed."""

    def __init__(self) -> None:
        self.shift = NOW - super().now()

    def now(self) -> datetime:
        return super().now() + self.shift


def quota_of(ann: StudioUser) -> Locator:
    return ann.page.get_by_role("group", name="Quota")


async def use_quota(site: FakeSite, number: int) -> None:
    await site.backend.stop_starting()
    async with open_client(site.url) as elsewhere:
        for _ in range(number):
            await elsewhere.start_render()


async def open_at(ann: StudioUser, moment: datetime) -> None:
    """Open the page on a device whose clock shows this time."""
    await ann.page.clock.install(time=moment)
    await ann.open_studio()


async def test_the_last_render_of_the_hour_disables_the_button_until_the_next(tmp_path: Path, visit: Visit) -> None:
    clock = ServerClock()
    async with (
        open_fake_site(tmp_path, clock=clock, quota_limit=2, quota_window_s=3600) as site,
        visit(site.url, bypass_csp=True, **NEW_YORK) as ann,
    ):
        await use_quota(site, 1)
        await open_at(ann, clock.now())
        render = ann.page.locator("#render")
        await expect(quota_of(ann)).to_have_text(
            re.compile(f"1 of 2 renders leftResets at 7:00 PM, in {MINUTES}"), timeout=TIMEOUT_MS
        )
        await render.click()
        used_up = re.compile(rf"{USED_UP} ?More at 7:00 PM \(in {MINUTES}\)\.")
        await expect(quota_of(ann)).to_have_text(used_up, timeout=TIMEOUT_MS)
        await expect(render).to_be_disabled()
        await expect(render).to_be_focused()
        await expect(render).to_have_accessible_name("Render")
        await expect(render).to_have_accessible_description(used_up)
        await expect(render).to_have_text(re.compile(r"^Render3\d:\d\d$"))
        await assert_accessible_everywhere(ann.page)
        await ann.page.locator(".form-footer").screenshot(path=screenshot_path("studio-quota"))

        await render.press("Enter")
        await expect(ann.page.locator("[aria-live]")).to_have_text(used_up)
        await expect(ann.cards).to_have_count(2)

        clock.shift += timedelta(minutes=30)
        await ann.page.clock.fast_forward(30 * 60_000)
        await expect(quota_of(ann)).to_contain_text(re.compile(r"at 7:00 PM \(in \d min\)"), timeout=TIMEOUT_MS)
        clock.shift += timedelta(minutes=10)
        await ann.page.clock.fast_forward(10 * 60_000)
        await expect(quota_of(ann)).to_contain_text("2 of 2 renders left", timeout=TIMEOUT_MS)
        await expect(render).to_be_enabled()
        await expect(render).to_have_text("Render")
        await render.click()
        await expect(ann.cards).to_have_count(3, timeout=TIMEOUT_MS)


async def test_the_time_is_the_users_and_is_left_out_if_their_clock_is_wrong(tmp_path: Path, visit: Visit) -> None:
    kolkata = {"timezone_id": "Asia/Kolkata", "locale": "de-DE"}
    cases = [
        (kolkata, timedelta(), rf"More at 0?4:30 \(in {MINUTES}\)\."),
        (NEW_YORK, timedelta(hours=3), rf"More in {MINUTES}\."),
        (NEW_YORK, timedelta(days=-400), rf"More in {MINUTES}\."),
    ]
    clock = ServerClock()
    async with open_fake_site(tmp_path, clock=clock, quota_limit=2, quota_window_s=3600) as site:
        await use_quota(site, 2)
        for options, error, expected in cases:
            async with visit(site.url, **options) as ann:
                await open_at(ann, clock.now() + error)
                await expect(quota_of(ann)).to_have_text(re.compile(USED_UP + expected), timeout=TIMEOUT_MS)
                await expect(ann.page.locator("#render")).to_have_text(re.compile(r"^Render3\d:\d\d$"))


async def test_quota_that_others_used_and_time_that_a_hidden_tab_missed_are_noticed(
    tmp_path: Path, visit: Visit
) -> None:
    clock = ServerClock()
    async with (
        open_fake_site(tmp_path, clock=clock, quota_limit=2, quota_window_s=3600) as site,
        visit(site.url, **NEW_YORK) as ann,
    ):
        await open_at(ann, clock.now())
        await expect(quota_of(ann)).to_contain_text("2 of 2 renders left", timeout=TIMEOUT_MS)
        await use_quota(site, 2)
        await expect(ann.page.locator("#render")).to_be_disabled(timeout=TIMEOUT_MS)
        await expect(ann.page.get_by_role("alert")).to_be_hidden()
        clock.shift += timedelta(hours=1)  # while the device sleeps, which stops the page's clock
        await ann.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        await expect(ann.page.locator("#render")).to_be_enabled(timeout=TIMEOUT_MS)


async def test_the_sentence_names_the_window_and_a_long_wait_has_no_seconds(page: Page) -> None:
    assert await page.evaluate(
        """async () => {
            const format = await import(document.querySelector("link[href$='format.js']").href);
            const periods = [1, 60, 3600, 5400, 7200, 86400].map(format.thisPeriod);
            return [periods, [1, 65, 3599, 3600, 7201].map(format.countdown)];
        }"""
    ) == [
        ["this second", "this minute", "this hour", "these 90 minutes", "these 2 hours", "this day"],
        ["0:01", "1:05", "59:59", "1 h", "2 h 1 min"],
    ]
