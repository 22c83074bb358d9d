"""The studio on a server that needs a token."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Route, expect

from auth.bearer import open_bearer_tokens
from services.runtime.adapters import open_embedded
from services.settings import load_settings
from tests.browser.conftest import Visit
from tests.browser.visitors import (
    NEEDS_BROWSER,
    OFFLINE_MESSAGES,
    TIMEOUT_MS,
)
from tests.support.api_client import CANCEL, open_client
from tests.support.api_server import serve
from tests.support.tokens import SECRET, token_of
from tests.support.websocket_blocker import Block, open_websocket_blocker

pytestmark = [pytest.mark.asyncio(loop_scope="session"), NEEDS_BROWSER]


@asynccontextmanager
async def open_blocked_site(folder: Path, block: Block | None) -> AsyncIterator[str]:
    """Open a server that needs a token, behind a proxy that blocks WebSockets unless `block` is None."""
    settings = load_settings(data_dir=folder, jwt_secret=SECRET, studio=True)
    async with (
        open_embedded(settings) as services,
        open_bearer_tokens(settings.auth) as authenticate,
        serve(services, authenticate=authenticate) as url,
    ):
        if block is None:
            yield url
        else:
            async with open_websocket_blocker(url, block) as proxy:
                yield proxy.url


async def test_the_page_asks_for_a_token_and_again_when_it_is_rejected(tmp_path: Path, visit: Visit) -> None:
    settings = load_settings(data_dir=tmp_path, jwt_secret=SECRET, studio=True)
    async with (
        open_embedded(settings) as services,
        open_bearer_tokens(settings.auth) as authenticate,
        serve(services, authenticate=authenticate) as url,
        visit(url) as ann,
        open_client(url, token=token_of("ann")) as elsewhere,
    ):
        await elsewhere.execute(CANCEL, id=await elsewhere.start_render(text="Mine", durationInFrames=600))
        await ann.open("/")
        await expect(ann.connection).to_have_text("Signed out", timeout=TIMEOUT_MS)
        await expect(ann.page.get_by_text("Sign in to do this.")).to_be_visible()
        token = ann.page.get_by_label("Token")
        await expect(token).to_be_focused()
        await token.fill("no token at all")
        await token.press("Enter")
        await expect(ann.page.get_by_text("Your sign-in is not valid here.")).to_be_visible(timeout=TIMEOUT_MS)
        await token.fill(token_of("ann"))
        await token.press("Enter")
        await expect(ann.card("Mine")).to_be_visible(timeout=TIMEOUT_MS)
        await ann.page.reload()
        await expect(ann.card("Mine")).to_be_visible(timeout=TIMEOUT_MS)  # the tab stores the token
        await ann.button("Sign out").click()
        await expect(token).to_be_visible(timeout=TIMEOUT_MS)
        await expect(ann.cards).to_have_count(0)


@pytest.mark.parametrize("block", [None, Block.REJECTED], ids=["WebSockets", "SSE"])
async def test_while_the_user_is_signed_out_no_requests_are_sent(
    tmp_path: Path, visit: Visit, block: Block | None
) -> None:
    requests: list[str] = []
    async with open_blocked_site(tmp_path, block) as url, visit(url, ignored=OFFLINE_MESSAGES) as ann:
        await ann.page.clock.install()
        await ann.open("/")
        await expect(ann.connection).to_have_text("Signed out", timeout=TIMEOUT_MS)
        ann.page.on("request", lambda request: requests.append(request.url.removeprefix(url)))
        await ann.page.clock.run_for(60_000)
        await ann.page.evaluate("fetch('healthz')")
        assert "/healthz" in requests
        assert "/graphql" not in requests
        await expect(ann.connection).to_have_text("Signed out")
        await ann.page.get_by_label("Token").fill(token_of("ann"))
        await ann.button("Sign in").click()
        await expect(ann.connection).to_have_text("Live", timeout=TIMEOUT_MS)
        transport = await ann.page.evaluate("sessionStorage.getItem('rendercast-transport')")
        assert transport == (None if block is None else "sse")


async def test_a_request_that_times_out_while_the_user_is_signed_out_changes_nothing(
    tmp_path: Path, visit: Visit
) -> None:
    async def hold_subscription(route: Route) -> None:
        if "subscription" not in (route.request.post_data or ""):
            await route.fallback()

    settings = load_settings(data_dir=tmp_path, jwt_secret=SECRET, studio=True)
    async with (
        open_embedded(settings) as services,
        open_bearer_tokens(settings.auth) as authenticate,
        serve(services, authenticate=authenticate) as server_url,
        open_websocket_blocker(server_url, Block.REJECTED) as proxy,
        visit(proxy.url, ignored=OFFLINE_MESSAGES) as ann,
    ):
        await ann.page.clock.install()
        await ann.page.route("**/graphql", hold_subscription)
        await ann.open("/")
        await expect(ann.connection).to_have_text("Signed out", timeout=TIMEOUT_MS)
        await ann.page.clock.run_for(60_000)
        await expect(ann.connection).to_have_text("Signed out")
        await ann.page.unroute("**/graphql", hold_subscription)
        await ann.page.get_by_label("Token").fill(token_of("ann"))
        await ann.button("Sign in").click()
        await expect(ann.connection).to_have_text("Live", timeout=TIMEOUT_MS)


@pytest.mark.parametrize("block", [None, Block.REJECTED], ids=["WebSockets", "SSE"])
async def test_a_request_of_one_user_is_not_executed_for_the_next(
    tmp_path: Path, visit: Visit, block: Block | None
) -> None:
    async with open_blocked_site(tmp_path, block) as url, visit(url, ignored=OFFLINE_MESSAGES) as ann:
        await ann.open("/")
        await expect(ann.connection).to_have_text("Signed out", timeout=TIMEOUT_MS)
        await ann.button("Render").click()
        await expect(ann.button("Starting…")).to_be_visible()
        await ann.page.get_by_label("Token").fill(token_of("bob"))
        await ann.button("Sign in").click()
        await expect(ann.first_visit).to_be_visible(timeout=TIMEOUT_MS)
        await expect(ann.button("Render")).to_be_visible()
        await expect(ann.cards).to_have_count(0)
