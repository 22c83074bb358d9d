"""@rendercast/react in Chromium with React 18 and 19, with the real server and a render backend that tests control.

All pages are in React's StrictMode and fail if the console shows a warning. The tests are skipped without Node,
Chromium or the npm packages, unless both variables are set: NODE=/usr/bin/node CHROMIUM=/usr/bin/chromium.
"""

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from playwright.async_api import Route, expect

from tests.browser.sites import FakeSite
from tests.browser.visitors import NEEDS_BROWSER, TIMEOUT_MS, assert_accessible
from tests.react_client.conftest import Visit
from tests.react_client.page_user import NEEDS_NODE, PageUser, only_render, run_to, wait_for_starts
from tests.support.api_client import DELETE, Client
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session"), NEEDS_NODE, NEEDS_BROWSER]

newest = pytest.mark.parametrize("page", ["19"], indirect=True)


async def test_a_user_renders_by_keyboard_and_reloads_the_page_meanwhile(ann: PageUser, site: FakeSite) -> None:
    await ann.open_page()
    await ann.show("Studio")
    button = ann.button("Render")
    await expect(button).to_be_visible(timeout=TIMEOUT_MS)
    await ann.page.keyboard.press("Tab")
    await expect(button).to_be_focused(timeout=TIMEOUT_MS)
    await ann.page.keyboard.press("Enter")
    await ann.page.keyboard.press("Enter")
    render_id = await only_render(site)
    await run_to(site, render_id, 45)
    await expect(ann.bar).to_have_js_property("value", 50, timeout=TIMEOUT_MS)
    await expect(button).to_be_focused(timeout=TIMEOUT_MS)
    await expect(button).to_have_attribute("aria-disabled", "true", timeout=TIMEOUT_MS)
    await expect(ann.page.get_by_role("status")).to_have_text("", timeout=TIMEOUT_MS)
    await expect(ann.items).to_have_text(["Hello RENDERING"], timeout=TIMEOUT_MS)
    await assert_accessible(ann.page)

    await ann.page.reload()
    await ann.show("Studio")
    await expect(ann.bar).to_have_js_property("value", 50, timeout=TIMEOUT_MS)
    await button.click(force=True)  # does nothing
    site.backend.finish(render_id)
    await expect(ann.page.get_by_role("status")).to_have_text("The render is complete.", timeout=TIMEOUT_MS)
    await expect(ann.bar).to_have_count(0, timeout=TIMEOUT_MS)
    video = ann.page.locator(f"a[href*='{render_id}']")
    await expect(video).to_have_text("Video", timeout=TIMEOUT_MS)
    number = len(ann.subscribed)
    await ann.button("Refresh the URL").click()
    await wait_until(lambda: len(ann.subscribed) > number)
    await expect(button).to_have_attribute("aria-disabled", "false", timeout=TIMEOUT_MS)
    assert site.backend.starts == [render_id]
    await assert_accessible(ann.page)


async def test_markup_of_a_server_is_hydrated_without_a_warning(ann: PageUser, site: FakeSite) -> None:
    await ann.open_page("hydrated.html")
    await ann.button("Render").click()
    await run_to(site, await only_render(site), 45)
    await expect(ann.bar).to_have_js_property("value", 50, timeout=TIMEOUT_MS)
    await ann.page.reload()
    await expect(ann.bar).to_have_js_property("value", 50, timeout=TIMEOUT_MS)


async def test_a_start_without_a_response_renders_once(ann: PageUser, site: FakeSite) -> None:
    def losing(lose: Callable[[Route], Awaitable[object]]) -> Callable[[Route], Awaitable[None]]:
        async def handle(route: Route) -> None:
            await (lose(route) if "startRender" in (route.request.post_data or "") else route.fallback())

        return handle

    async def lose_response(route: Route) -> None:
        await route.fetch()

    async def lose_request(_: Route) -> None:
        """Never send it."""

    async def fail(route: Route) -> None:
        await route.fetch()
        await route.fulfill(json={"errors": [{"message": "It failed."}]}, headers={"Access-Control-Allow-Origin": "*"})

    await ann.open_page()
    button, status = ann.button("Render"), ann.page.get_by_role("status")
    for number, lose in enumerate((lose_response, lose_request, fail), start=1):
        await ann.page.route("**/graphql", losing(lose))
        await ann.show("Studio")
        async with ann.page.expect_request("**/graphql"):
            await button.evaluate("(button) => { button.click(); button.click(); }")
        if lose is fail:
            await expect(status).to_have_text("It failed.", timeout=TIMEOUT_MS)
        else:
            await ann.expect_state("starting")
        if lose is not lose_request:
            await wait_for_starts(site, number)
        await ann.page.unroute("**/graphql")
        await ann.page.reload()
        await ann.show("Studio")
        if lose is fail:
            await ann.expect_state("idle")  # the user has seen the error
            await button.click()
        await ann.expect_state("running")
        await wait_for_starts(site, number)
        site.backend.finish(site.backend.starts[-1])
        await ann.expect_state("idle")
    await expect(ann.items).to_have_text(["Hello COMPLETE", "Hello COMPLETE"], timeout=TIMEOUT_MS)
    await expect(ann.button("More")).to_be_visible(timeout=TIMEOUT_MS)
    assert len(site.backend.starts) == 3


async def test_components_can_be_unmounted_during_a_start(ann: PageUser, site: FakeSite) -> None:
    is_open = asyncio.Event()

    async def delay(route: Route) -> None:
        await is_open.wait()
        await route.fallback()

    await ann.open_page()
    await ann.page.route("**/graphql", delay)
    await ann.show("Once", text="Without a key")
    await ann.button("Start").dblclick()
    await expect(ann.button("Starting")).to_be_visible(timeout=TIMEOUT_MS)
    await expect(ann.page.get_by_text("1 submitted")).to_be_visible(timeout=TIMEOUT_MS)
    await ann.show("Bars", ids=[])
    await ann.show("Once", text="Another")
    await expect(ann.button("Start")).to_have_attribute("aria-disabled", "false", timeout=TIMEOUT_MS)
    await ann.show("Studio")
    await ann.button("Render").click()
    await ann.show(None)
    is_open.set()
    await wait_for_starts(site, 2)
    await ann.wait_for_subscriptions(0)
    await ann.show("Studio")
    await ann.expect_state("running")
    for text in ("Hello RENDERING", "Without a key RENDERING"):  # in any order
        await expect(ann.items.filter(has_text=text)).to_have_count(1, timeout=TIMEOUT_MS)


async def test_components_share_watches_which_end_with_them(ann: PageUser, site: FakeSite, elsewhere: Client) -> None:
    first, second = [await elsewhere.start_render(text=text) for text in ("First", "Second")]
    await run_to(site, first, 9)
    await run_to(site, second, 18)
    await ann.open_page()
    await ann.show("Bars", ids=[first, first, second])
    await expect(ann.bar).to_have_count(3, timeout=TIMEOUT_MS)
    await ann.wait_for_subscriptions(2)
    assert len(ann.subscribed) == 2
    assert len({connection for connection, _ in ann.subscriptions}) == 1

    await ann.page.evaluate("(ids) => ids.forEach((id) => show('Bars', { ids: [id] }))", [first, second] * 5)
    await expect(ann.bar).to_have_js_property("value", 20, timeout=TIMEOUT_MS)
    await ann.wait_for_subscriptions(1)
    await ann.show("Bars", client=1, ids=[second])
    await expect(ann.bar).to_have_js_property("value", 20, timeout=TIMEOUT_MS)
    await ann.wait_for_subscriptions(1)

    await ann.show("Choice", ids=[first, second])
    for number in (0, 1, 0):
        await ann.button(f"Choose {number}").click()
    await expect(ann.page.get_by_role("status")).to_have_text("0 true 10", timeout=TIMEOUT_MS)
    await ann.wait_for_subscriptions(1)

    number = len(ann.subscribed)
    await ann.show("OwnBar", id=first)  # continues the subscription of the component that it replaces
    await expect(ann.bar).to_have_attribute("aria-valuenow", "10", timeout=TIMEOUT_MS)
    await assert_accessible(ann.page)
    site.backend.finish(first)
    await expect(ann.page.get_by_role("status")).to_have_text("The render is complete.", timeout=TIMEOUT_MS)
    await ann.wait_for_subscriptions(0)
    assert len(ann.subscribed) == number

    await ann.show("Bars", ids=["01m817gzatj1v633w9kvyqtevh"])
    await expect(ann.page.get_by_role("status")).to_contain_text("no render with this id", timeout=TIMEOUT_MS)

    await ann.show("Broken", id=second)
    await expect(ann.page.get_by_role("alert")).to_have_text("The bar is broken.", timeout=TIMEOUT_MS)
    await ann.wait_for_subscriptions(0)
    assert ann.page_errors
    assert all("The bar is broken" in error or "The above error" in error for error in ann.page_errors)
    ann.page_errors.clear()


@newest
async def test_60_components_watch_60_renders(ann: PageUser, site: FakeSite, elsewhere: Client) -> None:
    ids = [await elsewhere.start_render(text=f"Number {number}") for number in range(60)]
    await ann.open_page()
    await ann.show("Bars", ids=ids)
    await expect(ann.bar).to_have_count(60, timeout=TIMEOUT_MS)
    for render_id in ids:
        await run_to(site, render_id, 90)
    await expect(ann.page.get_by_text("The render is complete.")).to_have_count(60, timeout=TIMEOUT_MS)
    await ann.wait_for_subscriptions(0)


@newest
async def test_a_render_is_cancelled_retried_and_forgotten(ann: PageUser, site: FakeSite) -> None:
    await ann.open_page()
    await ann.show("Studio")
    status = ann.page.get_by_role("status")
    await ann.page.evaluate("for (const button of [...document.querySelectorAll('button')].slice(0, 2)) button.click()")
    await expect(status).to_have_text("The render was cancelled.", timeout=TIMEOUT_MS)
    cancelled = len(site.backend.starts)  # if it was faster than the cancellation
    await ann.button("Retry").evaluate("(button) => { button.click(); button.click(); }")
    await wait_for_starts(site, cancelled + 1)
    await expect(ann.page.locator(".progress")).to_have_attribute("data-status", "RENDERING", timeout=TIMEOUT_MS)
    await ann.page.evaluate("[...document.querySelectorAll('button')].slice(1, 3).reverse().forEach((b) => b.click())")
    await expect(status).to_contain_text("Write some text", timeout=TIMEOUT_MS)  # the other render goes on
    site.backend.break_down(site.backend.starts[-1], retryable=False)
    await ann.page.reload()
    await ann.show("Studio")
    await expect(status).to_have_text("It broke.", timeout=TIMEOUT_MS)
    await ann.button("Forget").click()
    await expect(status).to_have_text("", timeout=TIMEOUT_MS)
    await ann.page.reload()
    await ann.show("Studio")
    await expect(ann.items).to_have_text(["Hello FAILED", "Hello CANCELLED"], timeout=TIMEOUT_MS)
    await expect(status).to_have_text("", timeout=TIMEOUT_MS)


@newest
async def test_the_list_has_pages_and_is_live(ann: PageUser, site: FakeSite, elsewhere: Client) -> None:
    ids = [await elsewhere.start_render(text=f"Number {number}") for number in range(3)]
    await ann.open_page()
    await ann.show("Studio")
    items = ann.items
    await expect(items).to_contain_text(["Number 2", "Number 1"], timeout=TIMEOUT_MS)
    await ann.button("More").click()
    await expect(items).to_contain_text(["Number 2", "Number 1", "Number 0"], timeout=TIMEOUT_MS)
    await expect(ann.button("More")).to_have_count(0, timeout=TIMEOUT_MS)
    await run_to(site, ids[1], 90)
    await expect(items).to_contain_text(["Number 2", "Number 1 COMPLETE", "Number 0"], timeout=TIMEOUT_MS)
    await elsewhere.execute(DELETE, id=ids[1])
    await expect(items).to_contain_text(["Number 2", "Number 0"], timeout=TIMEOUT_MS)
    await elsewhere.start_render(text="Number 3")
    await expect(items).to_contain_text(["Number 3", "Number 2", "Number 0"], timeout=TIMEOUT_MS)
    await ann.button("Refresh").click()
    await expect(items).to_contain_text(["Number 3", "Number 2", "Number 0"], timeout=TIMEOUT_MS)


@newest
async def test_a_stored_state_that_cannot_be_used_is_ignored(ann: PageUser, site: FakeSite) -> None:
    await ann.open_page()
    old = {
        "input": {"text": "Old"},
        "idempotencyKey": "old",
        "repeatUntil": int(time.time() * 1000),
        "hasFailed": False,
    }
    other = {"id": "01m817gzatj1v633w9kvyqtevh", "pending": {}}
    for stored in ("null", "{", '{"id": 1}', json.dumps({"pending": old}), json.dumps(other)):
        await ann.page.evaluate("(stored) => { sessionStorage['rendercast promo'] = stored; }", stored)
        await ann.page.reload()
        await ann.show("Studio")
        await ann.expect_state("idle")
        await expect(ann.page.get_by_role("status")).to_have_text("", timeout=TIMEOUT_MS)
    await ann.page.wait_for_function("!JSON.parse(sessionStorage['rendercast promo'] ?? '{}').id", timeout=TIMEOUT_MS)
    await ann.button("Render").click()
    await run_to(site, await only_render(site), 45)
    await expect(ann.bar).to_have_js_property("value", 50, timeout=TIMEOUT_MS)


@newest
async def test_it_works_without_storage(ann: PageUser, site: FakeSite) -> None:
    await ann.page.add_init_script(
        "Object.defineProperty(window, 'sessionStorage', { get() { throw new DOMException('No', 'SecurityError'); } })"
    )
    await ann.open_page()
    await ann.show("Studio")
    await ann.button("Render").click()
    await run_to(site, await only_render(site), 45)
    await expect(ann.bar).to_have_js_property("value", 50, timeout=TIMEOUT_MS)


@newest
async def test_the_button_counts_down_to_the_end_of_the_quota_window(visit: Visit, tmp_path: Path) -> None:
    async with visit(tmp_path, quota_limit=1) as (ann, _, elsewhere):
        await elsewhere.start_render()
        await ann.page.clock.install()
        await ann.open_page()
        await ann.show("Studio")
        await (button := ann.page.locator(".start")).press("Enter")
        await expect(button).to_have_text(re.compile(r"^Render \d+(:\d\d){1,2}$"), timeout=TIMEOUT_MS)
        await expect(button).to_have_attribute("aria-disabled", "true", timeout=TIMEOUT_MS)
        await ann.expect_state("waiting")
        await expect(button).to_be_focused(timeout=TIMEOUT_MS)
        await expect(ann.page.get_by_role("status")).to_contain_text("Render quota exceeded", timeout=TIMEOUT_MS)
        await assert_accessible(ann.page)
        before = await button.text_content()
        await ann.page.clock.fast_forward(2_000)
        await expect(button).not_to_have_text(str(before), timeout=TIMEOUT_MS)
        await ann.page.clock.fast_forward(25 * 3_600_000)
        await expect(button).to_have_text("Render", timeout=TIMEOUT_MS)
        await expect(button).to_have_attribute("aria-disabled", "false", timeout=TIMEOUT_MS)
