"""examples/html: the page in Debian's Chromium, and the script with curl."""

import asyncio
import os
import re
import shutil
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from services.settings import CHECKOUT
from tests.browser.visitors import NEEDS_BROWSER, TIMEOUT_MS, Visitor, assert_accessible, visiting
from tests.examples.example_server import open_rendercast, serve_files
from tests.support.api_client import TEST_TIMEOUT_S, open_client

EXAMPLE = CHECKOUT / "examples" / "html"
CURL = os.environ.get("CURL") or shutil.which("curl")
TEXT = r"""No "framework" \ 'here' $(exit)"""

pytestmark = pytest.mark.asyncio(loop_scope="session")


@NEEDS_BROWSER
async def test_the_page_renders_and_plays(tmp_path: Path, browser: Browser) -> None:
    async with (
        open_rendercast(tmp_path) as url,
        serve_files(EXAMPLE) as site,
        visiting(browser, lambda page: Visitor(page=page, site=site, allowed=(url,)), bypass_csp=True) as ann,
        open_client(url) as elsewhere,
    ):
        await ann.open(f"/?api={url}/graphql")
        await ann.page.get_by_label("Text").fill(" ")
        await ann.button("Render").click()
        status = ann.page.get_by_role("status")
        await expect(status).to_have_text("Write some text to animate.", timeout=TIMEOUT_MS)

        await ann.page.get_by_label("Text").fill(TEXT)
        await ann.button("Render").dblclick()
        await expect(status).to_have_text("Done", timeout=TIMEOUT_MS)
        await expect(ann.page.locator("video")).to_have_js_property("duration", 3, timeout=TIMEOUT_MS)
        assert await elsewhere.quota_used() == 1
        await assert_accessible(ann.page)


@pytest.mark.skipif(CURL is None, reason="needs curl (CURL= or on the path)")
async def test_the_script_renders_and_downloads(tmp_path: Path) -> None:
    video, log, text = tmp_path / "hello.mp4", tmp_path / "log", f"{TEXT}\n\tSecond line"
    async with open_rendercast(tmp_path / "data") as url, open_client(url) as elsewhere:
        with log.open("wb") as stderr:
            script = await asyncio.create_subprocess_exec(
                "/bin/sh",
                EXAMPLE / "render.sh",
                text,
                video,
                env={"PATH": f"{Path(CURL or '').parent}:{os.environ['PATH']}", "RENDERCAST_URL": url},
                stderr=stderr,
            )
        async with asyncio.timeout(TEST_TIMEOUT_S):
            await script.wait()
        shown = log.read_text(encoding="utf-8")
        assert script.returncode == 0, shown
        render = re.search(r'^\{"data":\{"startRender":\{"render":\{"id":"(\w+)"\}\}\}\}\n', shown)
        assert render
        assert re.search(r'"status":"COMPLETE","progress":100.*\n\nevent: complete\n', shown)
        assert video.read_bytes()[4:8] == b"ftyp"
        query = "query ($id: ID!) { render(id: $id) { animationProps { text } } }"
        assert (await elsewhere.execute(query, id=render[1]))["animationProps"]["text"] == text
