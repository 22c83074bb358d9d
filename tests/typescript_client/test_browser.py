"""@rendercast/client in Chromium: hidden tabs, two tabs, and a page of another origin than the server."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page

from tests.browser.sites import FakeSite
from tests.browser.visitors import CHROMIUM, TIMEOUT_MS
from tests.remotion_helper.projects import served_bundle
from tests.support.waiting import wait_until
from tests.typescript_client.package import NEEDS_NODE, run
from tests.typescript_client.program import assert_in_order
from tests.typescript_client.proxy import open_proxy
from tests.typescript_client.site import open_site

pytestmark = [
    pytest.mark.slow,
    pytest.mark.asyncio(loop_scope="session"),
    NEEDS_NODE,
    pytest.mark.skipif(not CHROMIUM, reason="needs Chromium (CHROMIUM= or `chromium` on the path)"),
]

SCRIPT = """
import { createClient } from "./client.js";
window.createClient = createClient;
window.clients = [];
window.seen = {}; // the states that each transport has yielded, and at the end null
window.watchAll = (url, id) => {
  for (const transport of ["websocket", "sse", "polling"]) {
    const states = (window.seen[transport] = []);
    const client = createClient({ url, transports: [transport] });
    window.clients.push(client);
    (async () => {
      for await (const state of client.watch(id)) states.push(state);
      states.push(null);
    })();
  }
};
window.setHidden = (hidden) => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
};
"""


@dataclass(kw_only=True)
class Tab:
    """A tab with the page, whose clients watch a render over each transport."""

    page: Page
    api: str

    async def start(self, key: str) -> Any:
        call = "([url, key]) => createClient({ url }).start({ text: 'Hello', idempotencyKey: key })"
        return (await self.page.evaluate(call, [self.api, key]))["id"]

    async def watch(self, render_id: str) -> None:
        await self.page.evaluate("([url, id]) => watchAll(url, id)", [self.api, render_id])

    async def watch_once(self, render_id: str) -> None:
        """Open another watch with each client, and take its first state."""
        watch = "(id) => Promise.all(clients.map((client) => client.watch(id).next()))"
        await self.page.evaluate(watch, render_id)

    async def shows(self, frames: int) -> None:
        """Wait until all clients show this progress."""
        condition = "(frames) => Object.values(seen).every((all) => all.at(-1)?.framesRendered === frames)"
        await self.page.wait_for_function(condition, arg=frames, timeout=TIMEOUT_MS)

    async def hide(self, *, hidden: bool) -> None:
        await self.page.evaluate("(hidden) => setHidden(hidden)", hidden)

    async def states(self) -> dict[str, list[Any]]:
        """Return the states of each transport."""
        return {name: list(states) for name, states in (await self.page.evaluate("seen")).items()}

    async def ends(self) -> None:
        """Wait for the end of all watches, and check their states."""
        condition = "Object.values(seen).every((all) => all.at(-1) === null)"
        await self.page.wait_for_function(condition, timeout=TIMEOUT_MS)
        for states in (await self.states()).values():
            assert_in_order(states[:-1])


@pytest.fixture(scope="module")
def origin(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page's origin, which is not that of the server."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "index.html").write_text(
        '<!doctype html><link rel="icon" href="data:,"><script type="module" src="page.js"></script>', encoding="utf-8"
    )
    (folder / "page.js").write_text(SCRIPT, encoding="utf-8")
    run("esbuild", package / "dist" / "index.js", "--bundle", "--format=esm", "--log-level=warning",
        f"--outfile={folder / 'client.js'}", cwd=folder)  # fmt: skip
    with served_bundle(folder) as url:
        yield url.rstrip("/")


@asynccontextmanager
async def open_tab(browser: Browser, origin: str, api: str) -> AsyncIterator[Tab]:
    async with await browser.new_page() as page:
        await page.clock.install()  # which continues as the real one, until a test advances it
        await page.goto(origin)
        await page.wait_for_function("'watchAll' in window")
        yield Tab(page=page, api=api)


async def watch_running(tab: Tab, site: FakeSite) -> str:
    """Start a render, watch it until its progress is shown, and return its id."""
    render_id: str = await tab.start("key")
    await wait_until(lambda: render_id in site.backend.starts)
    await tab.watch(render_id)
    site.backend.progress(render_id, 10)
    await tab.shows(10)
    return render_id


async def test_a_hidden_tab_disconnects_and_continues_when_it_is_visible(
    browser: Browser, origin: str, tmp_path: Path
) -> None:
    async with (
        open_site(tmp_path, allowed_origins=origin) as site,
        open_proxy(site.url) as proxy,
        open_tab(browser, origin, proxy.url) as tab,
    ):
        render_id = await watch_running(tab, site)
        await tab.hide(hidden=True)
        await tab.watch_once(render_id)
        await tab.page.clock.run_for(5000)
        await wait_until(lambda: proxy.streams == 0)
        accepted = proxy.requests
        site.backend.progress(render_id, 60)
        before = await tab.states()
        site.backend.finish(render_id)
        await tab.page.clock.run_for(30_000)  # longer than the interval of polling, and than any wait for a connection
        assert (await tab.states(), proxy.requests) == (before, accepted)
        await tab.hide(hidden=False)
        await tab.ends()


async def test_two_tabs_show_the_same_render_which_is_started_once(
    browser: Browser, origin: str, tmp_path: Path
) -> None:
    async with open_site(tmp_path, allowed_origins=origin) as site, AsyncExitStack() as stack:
        tabs = [await stack.enter_async_context(open_tab(browser, origin, site.url)) for _ in range(2)]
        ids = {await tab.start("the same key") for tab in tabs}
        assert len(ids) == 1
        (render_id,) = ids
        await wait_until(lambda: site.backend.starts == [render_id])
        for tab in tabs:
            await tab.watch(render_id)
        for frames in (30, 60):
            site.backend.progress(render_id, frames)
            for tab in tabs:
                await tab.shows(frames)
        site.backend.finish(render_id)
        for tab in tabs:
            await tab.ends()
        assert site.backend.starts == [render_id]


async def test_a_tab_that_was_offline_for_30_seconds_continues_and_starts_once(
    browser: Browser, origin: str, tmp_path: Path
) -> None:
    async with (
        open_site(tmp_path, allowed_origins=origin) as site,
        open_proxy(site.url) as proxy,
        open_tab(browser, origin, proxy.url) as tab,
    ):
        render_id = await watch_running(tab, site)
        await tab.page.context.set_offline(offline=True)
        proxy.disconnect()
        site.backend.finish(render_id)
        starting = asyncio.create_task(tab.start("another key"))
        for _ in range(30):
            await tab.page.clock.run_for(1000)
        await tab.page.context.set_offline(offline=False)
        await tab.ends()
        second_id = await starting
        await wait_until(lambda: site.backend.starts == [render_id, second_id])
