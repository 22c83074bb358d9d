"""examples/apollo-and-urql: its types are generated and checked, it is bundled and run in Debian's Chromium.

They are skipped if Node is too old for the code generator.
"""

import asyncio
import re
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.async_api import Browser, Request, Route, expect

from auth.bearer import open_bearer_tokens
from services.settings import CHECKOUT, load_settings
from tests.browser.sites import SMALL, FakeSite, open_fake_site
from tests.browser.visitors import OFFLINE_MESSAGES, TIMEOUT_MS, assert_accessible, visiting
from tests.end_to_end.processes import Start
from tests.end_to_end.slow import SlowRenderers
from tests.examples.example_server import BUILD_TIMEOUT_S, NEEDS_PACKAGES
from tests.examples.graphql_page import (
    COMMANDS,
    DEFAULT_API,
    EXAMPLE,
    LONG_S,
    MIN_NODE,
    NO_TOKENS,
    PageUser,
    environment,
    node_version,
    served,
    tool,
)
from tests.support.api_client import CANCEL, open_client
from tests.support.tokens import SECRET, token_of
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.skipif(0 < node_version() < MIN_NODE, reason=f"needs Node {MIN_NODE} or newer"),
    NEEDS_PACKAGES,
]

INDEX = (EXAMPLE / "index.html").read_text(encoding="utf-8")

NO_OUTPUTS = ("404",)  # of the fake backend

Visit = Callable[..., AbstractAsyncContextManager["PageUser"]]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example, with generated and checked types."""
    checkout = tmp_path_factory.mktemp("checkout")
    (checkout / "schema").mkdir()
    shutil.copy(CHECKOUT / "schema" / "schema.graphql", checkout / "schema")
    folder = checkout / EXAMPLE.relative_to(CHECKOUT)
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("node_modules", "gql", "app.js"))
    (folder / "node_modules").symlink_to(EXAMPLE / "node_modules")
    for name in ("codegen", "types"):
        subprocess.run(tool(COMMANDS[name]), cwd=folder, env=environment(), check=True, timeout=BUILD_TIMEOUT_S)
    return folder


@pytest.fixture(scope="module", params=["apollo", "urql"])
def page(request: pytest.FixtureRequest, program: Path) -> Iterator[str]:
    """The URL of the page, with each client."""
    with served(COMMANDS[request.param], program) as url:
        yield url


@pytest.fixture
def visit(browser: Browser, page: str, program: Path) -> Visit:
    """Open the page for a user. Fails at the end if the page has caused errors."""

    @asynccontextmanager
    async def visit(
        api: str, *, tokens: Iterator[str] = NO_TOKENS, ignored: tuple[str, ...] = ()
    ) -> AsyncIterator[PageUser]:
        (program / "index.html").write_text(INDEX.replace(DEFAULT_API, f"{api}/graphql"))
        async with visiting(
            browser,
            lambda opened: PageUser(page=opened, site=page, api=api, tokens=tokens, ignored=ignored),
        ) as user:
            yield user

    return visit


async def test_a_user_starts_watches_plays_and_cancels_until_the_quota_is_exhausted(
    start: Start, visit: Visit, renderers: SlowRenderers
) -> None:
    server = start(quota_limit=4, max_duration_s=LONG_S, **SMALL)
    async with visit(server.url) as ann, open_client(server.url) as elsewhere:
        await ann.open_page()
        await ann.expect_quota("4 of 4")

        await ann.fill(" ")
        await ann.button("Render").click()
        text = ann.page.get_by_label("Text")
        await expect(text).to_have_accessible_description("Write some text to animate.", timeout=TIMEOUT_MS)
        await expect(text).to_have_attribute("aria-invalid", "true")

        await play_and_download_with_expired_urls(ann)
        await ann.expect_quota("3 of 4")

        renderers.slow_down()
        await ann.start_long("Second")
        before = await ann.wait_for_progress()
        await expect(ann.listed("Second")).to_contain_text(re.compile(r"Rendering \d+ %"))
        await ann.page.reload()
        await ann.wait_for_progress(before)
        await ann.button("Cancel").click()
        await expect(ann.status).to_have_text("Cancelled", timeout=TIMEOUT_MS)
        renderers.speed_up()
        await expect(ann.bar).to_have_count(0)
        await expect(ann.listed("Second")).to_contain_text("Cancelled")

        await elsewhere.start_render(text="Elsewhere", durationInFrames=1)
        await expect(ann.listed("Elsewhere")).to_contain_text("Done", timeout=TIMEOUT_MS)
        await ann.start("Last", frames=1)
        await ann.expect_quota("0 of 4")
        await ann.fill("No more")
        await ann.button("Render").click()
        await expect(ann.page.get_by_role("alert")).to_have_text(
            re.compile(r"^Render quota exceeded\. .* The next start is possible at \d+:\d\d"), timeout=TIMEOUT_MS
        )
        await expect(ann.page.get_by_role("listitem")).to_have_count(4)
        await assert_accessible(ann.page)


async def play_and_download_with_expired_urls(ann: PageUser) -> None:
    """Start a render, and play and download its video. The URL has expired before both."""
    requests: list[Request] = []

    async def fail_first(route: Route) -> None:
        requests.append(route.request)
        await (route.fulfill(status=404) if len(requests) == 1 else route.continue_())

    ann.ignore_messages("404")
    await ann.page.route("**/*.mp4?*", fail_first)
    await ann.start("First")
    await expect(ann.status).to_have_text("Done", timeout=TIMEOUT_MS)
    video = ann.shown.locator("video")
    await expect(video).to_have_js_property("duration", 0.5, timeout=TIMEOUT_MS)
    assert len(requests) > 1
    poster = await video.get_attribute("poster")
    assert poster is not None
    assert (await ann.page.request.get(poster)).headers["content-type"] == "image/jpeg"
    await video.evaluate("(video) => { video.muted = true; return video.play(); }")
    await ann.page.wait_for_function("document.querySelector('video').ended", timeout=TIMEOUT_MS)

    link = ann.shown.get_by_role("link", name="Download")
    [expires] = parse_qs(urlsplit(await link.get_attribute("href") or "").query)["expires"]
    await ann.page.clock.set_fixed_time(int(expires) - 30)
    async with ann.page.expect_request(requests_new_url), ann.page.expect_popup() as opening:
        await link.click()
    opened = await opening.value
    assert (await ann.page.request.get(opened.url)).headers["content-type"] == "video/mp4"
    await opened.close()


def requests_new_url(request: Request) -> bool:
    """Return whether the request is a refresh. Its URL can equal the last one: it stays the same for some minutes."""
    return '"operationName":"Refresh"' in (request.post_data or "")


async def finish(site: FakeSite, render_id: str) -> None:
    """Finish a render, once it is running."""
    await wait_until(lambda: render_id in site.backend.starts)
    site.backend.finish(render_id)


async def test_the_page_resumes_after_a_restart_of_the_server(
    start: Start, visit: Visit, renderers: SlowRenderers
) -> None:
    renderers.slow_down()
    settings = {"max_duration_s": LONG_S, **SMALL}
    first = start(**settings)
    async with visit(first.url, ignored=OFFLINE_MESSAGES) as ann:
        await ann.open_page()
        await ann.start_long("Long")
        before = await ann.wait_for_progress(2)
        first.end(signal.SIGKILL)
        await expect(ann.connection).to_have_text("Offline. Trying again…", timeout=TIMEOUT_MS)
        assert await ann.wait_for_progress(before) < 100
        await ann.fill("Not now")
        await ann.button("Render").click()
        await expect(ann.page.get_by_role("alert")).to_have_text("Rendercast can't be reached. Please try again.")

        again = start(after=first, **settings)
        await expect(ann.connection).to_have_text("Live", timeout=TIMEOUT_MS)
        await ann.button("Render").click()
        await expect(ann.listed("Not now")).to_have_count(1, timeout=TIMEOUT_MS)
        await ann.listed("Long").get_by_role("link").click()
        await ann.button("Cancel").click()
        await expect(ann.status).to_have_text("Cancelled", timeout=TIMEOUT_MS)
        async with open_client(again.url) as elsewhere:
            assert await elsewhere.quota_used() == 2


async def test_a_late_response_does_not_replace_newer_messages(tmp_path: Path, page: str, visit: Visit) -> None:
    newer = asyncio.Event()
    async with (
        open_fake_site(tmp_path, allowed_origins=page) as site,
        visit(site.url) as ann,
        open_client(site.url) as elsewhere,
    ):
        render_id = await elsewhere.start_render(text="Long")
        await wait_until(lambda: site.backend.starts == [render_id])
        await ann.open_page()

        async def hold_back(route: Route) -> None:
            response = await route.fetch()
            if '"operationName":"Renders"' in (route.request.post_data or ""):
                await newer.wait()
            await route.fulfill(response=response)

        await ann.page.route(f"{site.url}/graphql", hold_back)
        await ann.page.goto(f"{ann.site}/#{render_id}")
        await ann.page.reload()
        site.backend.progress(render_id, 30)
        await ann.wait_for_progress(2)
        await elsewhere.execute(CANCEL, id=render_id)
        await expect(ann.status).to_have_text("Cancelled", timeout=TIMEOUT_MS)
        await expect(ann.listed("Long")).to_have_count(0)
        newer.set()
        await expect(ann.listed("Long")).to_have_text("Long Cancelled", timeout=TIMEOUT_MS)


async def test_older_renders_are_loaded_on_request(tmp_path: Path, page: str, visit: Visit) -> None:
    async with (
        open_fake_site(tmp_path, allowed_origins=page, quota_limit=20) as site,
        visit(site.url, ignored=NO_OUTPUTS) as ann,
        open_client(site.url) as elsewhere,
    ):
        await site.backend.stop_starting()
        for number in range(11):
            render_id = await elsewhere.start_render(text=f"Number {number}")
            await elsewhere.execute(CANCEL, id=render_id)
        await ann.open_page()
        items = ann.page.get_by_role("listitem")
        await expect(ann.listed("Number 10")).to_contain_text("Cancelled", timeout=TIMEOUT_MS)
        await expect(ann.button("Show older renders")).to_be_visible()
        await ann.button("Show older renders").click()
        await expect(items).to_have_count(11, timeout=TIMEOUT_MS)
        await expect(ann.button("Show older renders")).to_have_count(0)
        site.backend.capacity = 1
        await finish(site, await elsewhere.start_render(text="Newest"))
        await expect(items.first).to_contain_text("Newest Done", timeout=TIMEOUT_MS)
        await expect(items).to_have_count(12)
        await expect(items.last).to_contain_text("Number 0")


async def test_a_user_whose_token_expires_stays_signed_in(tmp_path: Path, page: str, visit: Visit) -> None:
    settings: dict[str, Any] = {"jwt_secret": SECRET, "jwt_leeway_s": 0, "allowed_origins": page}
    is_open = asyncio.Event()

    def tokens() -> Iterator[str]:
        yield token_of("ann", exp=int(time.time()) - 10)  # renewed by HTTP and by the WebSocket
        while True:
            yield token_of("ann") if is_open.is_set() else token_of("ann", exp=int(time.time()) + 5)

    async with (
        open_bearer_tokens(load_settings(**settings).auth) as authenticate,
        open_fake_site(tmp_path, authenticate=authenticate, **settings) as site,
        open_client(site.url, token=token_of("ann")) as elsewhere,
        visit(site.url, tokens=tokens(), ignored=NO_OUTPUTS) as ann,
    ):
        await finish(site, await elsewhere.start_render(text="Mine"))
        await ann.open_page()
        await expect(ann.listed("Mine")).to_contain_text("Done", timeout=TIMEOUT_MS)
        async with ann.page.expect_websocket(timeout=TIMEOUT_MS):
            is_open.set()
        await finish(site, await elsewhere.start_render(text="Later"))
        await expect(ann.listed("Later")).to_contain_text("Done", timeout=TIMEOUT_MS)
        await expect(ann.connection).to_have_text("Live")
        await ann.start("With the next token")
        await wait_until(lambda: len(site.backend.starts) == 3)
        site.backend.finish(site.backend.starts[-1])
        await expect(ann.status).to_have_text("Done", timeout=TIMEOUT_MS)
