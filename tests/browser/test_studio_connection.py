"""The studio when its connection is lost, and when its library comes from the CDN."""

import re
import signal
from pathlib import Path

import pytest
from playwright.async_api import Route, expect

from pages.files import CDN
from services.settings import CHECKOUT
from tests.browser.conftest import Visit
from tests.browser.sites import SMALL, open_fake_site
from tests.browser.visitors import (
    NEEDS_BROWSER,
    OFFLINE_MESSAGES,
    TIMEOUT_MS,
)
from tests.end_to_end.processes import Start
from tests.end_to_end.slow import SlowRenderers
from tests.support.websocket_blocker import Block, open_websocket_blocker

pytestmark = [pytest.mark.asyncio(loop_scope="session"), NEEDS_BROWSER]


async def test_a_reload_during_a_render_continues_the_progress_bar(tmp_path: Path, visit: Visit) -> None:
    async with open_fake_site(tmp_path) as site, visit(site.url) as ann:
        await ann.open_studio()
        card = await ann.render()
        await expect(card).to_contain_text("Starting the renderer", timeout=TIMEOUT_MS)
        [render_id] = site.backend.starts
        site.backend.progress(render_id, 30)
        before = await ann.wait_for_progress(2)
        await ann.page.reload()
        after = await ann.wait_for_progress(before)
        assert before <= after < 100
        site.backend.progress(render_id, 60)
        await ann.wait_for_progress(after + 1)


async def test_the_page_resumes_after_the_server_was_killed_during_a_render(
    start: Start, visit: Visit, renderers: SlowRenderers
) -> None:
    renderers.slow_down()
    first = start(**SMALL)
    async with visit(first.url, ignored=OFFLINE_MESSAGES) as ann:
        await ann.open_studio()
        await ann.page.evaluate("""() => {
            window.seen = [];
            const bar = () => document.querySelector("progress:not([hidden])");
            new MutationObserver(() => { if (bar()) window.seen.push(bar().value); })
                .observe(document.querySelector("#renders"), {subtree: true, childList: true, attributes: true});
        }""")
        card = await ann.render(seconds=20)
        await ann.wait_for_progress(5)
        first.end(signal.SIGKILL)
        await expect(ann.connection).to_have_text("Offline. Trying again…", timeout=TIMEOUT_MS)
        await expect(ann.bar).to_be_visible()
        renderers.speed_up()
        start(after=first, **SMALL)
        await ann.reconnect_now()
        await expect(ann.connection).to_have_text("Live", timeout=TIMEOUT_MS)
        await expect(card.get_by_text("Done")).to_be_visible(timeout=TIMEOUT_MS)
        seen = await ann.page.evaluate("window.seen")
        assert seen == sorted(seen)


async def test_a_start_requested_while_offline_is_executed_once(start: Start, visit: Visit) -> None:
    first = start(**SMALL)
    async with visit(first.url, ignored=OFFLINE_MESSAGES) as ann:
        await ann.open_studio()
        first.end(signal.SIGKILL)
        await expect(ann.connection).to_have_text("Offline. Trying again…", timeout=TIMEOUT_MS)
        await ann.button("Render").click()
        await ann.button("Starting…").click()
        start(after=first, **SMALL)
        await ann.reconnect_now()
        await expect(ann.cards).to_have_count(1, timeout=TIMEOUT_MS)
        await expect(ann.page.get_by_text("4 of 5 renders left")).to_be_visible(timeout=TIMEOUT_MS)


async def reject(route: Route) -> None:
    await route.abort()


async def test_if_websockets_are_blocked_the_page_uses_sse_and_remembers_it(tmp_path: Path, visit: Visit) -> None:
    # The fake backend has no posters.
    ignored = (*OFFLINE_MESSAGES, "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_FAILED", "404 (Not Found)")
    async with (
        open_fake_site(tmp_path) as site,
        open_websocket_blocker(site.url, Block.REJECTED) as proxy,
        visit(proxy.url, ignored=ignored) as ann,
    ):
        await ann.open_studio()
        await expect(ann.connection).to_have_text("Live", timeout=TIMEOUT_MS)
        card = await ann.render("Hello\N{LINE SEPARATOR}world")  # which is in JSON as it is
        await expect(card).to_contain_text("Starting the renderer", timeout=TIMEOUT_MS)
        site.backend.finish(site.backend.starts[0])
        await expect(card.get_by_text("Done")).to_be_visible(timeout=TIMEOUT_MS)
        handshakes = proxy.handshakes
        await ann.page.reload()
        await expect(ann.connection).to_have_text("Live", timeout=TIMEOUT_MS)
        await expect(ann.cards).to_have_count(1, timeout=TIMEOUT_MS)
        await ann.page.route("**/graphql", reject)
        proxy.disconnect()
        await expect(ann.connection).to_have_text("Offline. Trying again…", timeout=TIMEOUT_MS)
        await ann.page.unroute("**/graphql", reject)
        await expect(ann.connection).to_have_text("Live", timeout=TIMEOUT_MS)
        assert proxy.handshakes == handshakes > 0
        # A single request is lost, while the subscription stays open.
        await ann.page.route("**/graphql", reject, times=1)
        await ann.button("Render").click()
        await expect(ann.cards).to_have_count(2, timeout=TIMEOUT_MS)
        await expect(ann.connection).to_have_text("Live", timeout=TIMEOUT_MS)


async def test_a_handshake_that_fails_after_the_switch_to_sse_changes_nothing(tmp_path: Path, visit: Visit) -> None:
    async with (
        open_fake_site(tmp_path) as site,
        open_websocket_blocker(site.url, Block.SILENT) as proxy,
        visit(proxy.url, ignored=OFFLINE_MESSAGES) as ann,
    ):
        await ann.page.clock.install()
        await ann.open("/")
        await expect(ann.connection).to_have_text("Connecting…")
        await ann.page.clock.run_for(8_000)
        await expect(ann.connection).to_have_text("Live", timeout=TIMEOUT_MS)
        async with ann.page.expect_console_message(lambda message: "WebSocket connection to" in message.text):
            proxy.end_handshakes()
        await ann.render()
        await expect(ann.connection).to_have_text("Live")


async def test_a_stream_that_always_ends_early_is_repeated_less_and_less_often(tmp_path: Path, visit: Visit) -> None:
    attempts: list[str] = []

    async def cut(route: Route) -> None:
        if "subscription" in (operation := route.request.post_data or ""):
            attempts.append(operation)
            await route.fulfill(body=":\n\n", content_type="text/event-stream")
        else:
            await route.fallback()

    async with (
        open_fake_site(tmp_path) as site,
        open_websocket_blocker(site.url, Block.REJECTED) as proxy,
        visit(proxy.url, ignored=OFFLINE_MESSAGES) as ann,
    ):
        await ann.page.route("**/graphql", cut)
        await ann.page.clock.install()
        await ann.open("/")
        for _ in range(40):
            await ann.page.clock.run_for(500)
            await ann.page.evaluate("fetch('healthz')")
        assert 0 < len(attempts) < 15  # the pause doubles, from at most 0.5 s


async def test_without_npm_packages_graphql_ws_is_loaded_from_the_cdn_or_an_error_explains_what_to_do(
    tmp_path: Path, visit: Visit
) -> None:
    file = CHECKOUT / "web" / "node_modules" / "graphql-ws" / "umd" / "graphql-ws.min.js"
    async with (
        open_fake_site(tmp_path, web_dir="nowhere") as site,
        visit(site.url, ignored=("ERR_FAILED", "ERR_NAME_NOT_RESOLVED")) as ann,
    ):
        await ann.open("/")
        await expect(ann.page.get_by_role("alert")).to_contain_text("npm ci --prefix web", timeout=TIMEOUT_MS)
        [rejected] = ann.page_errors
        assert rejected.startswith(f"requested {CDN}graphql-ws@")
        ann.page_errors.clear()

        ann.allow(CDN.removesuffix("/"))
        cors = {"Access-Control-Allow-Origin": "*"}
        await ann.page.route(re.compile(re.escape(CDN)), lambda route: route.fulfill(path=file, headers=cors))
        await ann.page.reload()
        await expect(ann.connection).to_have_text("Live", timeout=TIMEOUT_MS)
