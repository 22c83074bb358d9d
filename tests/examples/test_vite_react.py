"""React projects of Vite: that of the frontend guide, made from Vite's own template, and examples/vite-react."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from playwright.async_api import Browser, Route, expect

from services.settings import CHECKOUT
from tests.browser.visitors import TIMEOUT_MS, Visitor, assert_accessible, visiting
from tests.end_to_end.processes import Start
from tests.end_to_end.slow import SlowRenderers
from tests.examples.example_server import BUILD_TIMEOUT_S, NEEDS_PACKAGES, NODE, serve_files
from tests.support.api_client import open_client

EXAMPLE = CHECKOUT / "examples" / "vite-react"
CREATE_VITE = CHECKOUT / "web" / "tools" / "node_modules" / "create-vite" / "index.js"
NPM = shutil.which("npm")
GUIDE = (CHECKOUT / "docs" / "frontend.md").read_text(encoding="utf-8")
API = "http://127.0.0.1:8000"
MAX_OWN_LINES = 12

pytestmark = [pytest.mark.asyncio(loop_scope="session"), NEEDS_PACKAGES]


def run_node(folder: Path, *arguments: str | Path, **environment: str) -> None:
    subprocess.run(
        [NODE, *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        check=True,
        timeout=BUILD_TIMEOUT_S,
    )


def run_npm(folder: Path, *arguments: str) -> None:
    """Run npm without its registry."""
    subprocess.run(
        [NPM or "", *arguments],
        cwd=folder,
        env={**os.environ, "npm_config_offline": "true", "npm_config_legacy_peer_deps": "true"},
        stdin=subprocess.DEVNULL,
        check=True,
        timeout=BUILD_TIMEOUT_S,
    )


def build(project: Path, site: Path, *, url: str, tsconfig: str = "tsconfig.json") -> Path:
    """Check the types of a project, build it into the folder `site`, and return that."""
    run_node(project, EXAMPLE / "node_modules" / "typescript" / "bin" / "tsc", "--project", tsconfig)
    vite = EXAMPLE / "node_modules" / "vite" / "bin" / "vite.js"
    run_node(project, vite, "build", "--logLevel", "error", "--outDir", site, VITE_RENDERCAST_URL=url)
    return site


async def lengthen(route: Route) -> None:
    """Ask for a video of 20 s instead of 3: slow renderers draw it for ten seconds or more."""
    body = route.request.post_data or ""
    await route.continue_(post_data=body.replace('"animationProps":{', '"animationProps":{"durationInFrames":600,'))


async def test_the_page_of_the_guide_shows_progress_with_few_own_lines(
    tmp_path: Path, start: Start, browser: Browser, renderers: SlowRenderers
) -> None:
    run_node(tmp_path, CREATE_VITE, "my-page", "--template", "react-ts", "--no-interactive")
    project = tmp_path / "my-page"
    (project / "node_modules").symlink_to(EXAMPLE / "node_modules")
    [own] = re.findall(r"```tsx\n// src/App.tsx\n(.*?)```", GUIDE, re.DOTALL)
    assert len([line for line in own.splitlines() if line]) <= MAX_OWN_LINES
    assert own in (CHECKOUT / "README.md").read_text(encoding="utf-8")
    renderers.slow_down()
    url = start().url
    (project / "src" / "App.tsx").write_text(own.replace(API, url))
    async with (
        serve_files(build(project, tmp_path / "site", url=url, tsconfig="tsconfig.app.json")) as site,
        visiting(browser, lambda page: Visitor(page=page, site=site, allowed=(url,)), bypass_csp=True) as ann,
    ):
        await ann.page.route(f"{url}/graphql", lengthen)
        await ann.open("/")
        await ann.button("Render").click()
        before = await ann.wait_for_progress()
        await ann.wait_for_progress(before + 1)
        renderers.speed_up()
        await expect(ann.page.get_by_role("status")).to_have_text("The render is complete.", timeout=TIMEOUT_MS)
        await expect(ann.page.locator("video")).to_have_js_property("duration", 20, timeout=TIMEOUT_MS)


@pytest.mark.skipif(NPM is None, reason="needs npm on the path")
async def test_a_later_installation_keeps_the_copies_of_the_packages(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text("{}")
    commands = re.findall(r"^npm (config .*|install .*/react)$", GUIDE, re.MULTILINE)
    assert len(commands) == 2
    for command in (*commands, "install"):
        run_npm(tmp_path, *shlex.split(command.replace("../rendercast", str(CHECKOUT))))
    packages = [tmp_path / "node_modules" / "@rendercast" / name for name in ("client", "react")]
    assert [package.is_symlink() or not (package / "dist" / "index.d.ts").exists() for package in packages] == [
        False
    ] * 2


async def test_the_example_keeps_a_render_over_a_reload_and_plays_it(
    tmp_path: Path, start: Start, browser: Browser, renderers: SlowRenderers
) -> None:
    renderers.slow_down()
    url = start().url
    async with (
        serve_files(build(EXAMPLE, tmp_path / "site", url=url)) as site,
        visiting(browser, lambda page: Visitor(page=page, site=site, allowed=(url,)), bypass_csp=True) as ann,
        open_client(url) as elsewhere,
    ):
        await ann.page.route(f"{url}/graphql", lengthen)
        await ann.open("/")
        status = ann.page.get_by_role("status")
        await ann.page.get_by_label("Text").fill(" ")
        await ann.button("Render").click()
        await expect(status).to_have_text("Write some text to animate.", timeout=TIMEOUT_MS)
        await ann.page.get_by_label("Text").fill("Cancelled")
        await ann.button("Render").dblclick()
        await ann.button("Cancel").click()
        await expect(status).to_have_text("The render was cancelled.", timeout=TIMEOUT_MS)

        await ann.page.get_by_label("Text").fill("Kept")
        await ann.button("Render").click()
        before = await ann.wait_for_progress()
        await ann.page.reload()
        await ann.wait_for_progress(before)
        await assert_accessible(ann.page)
        renderers.speed_up()
        await expect(ann.page.locator("video")).to_have_js_property("duration", 20, timeout=TIMEOUT_MS)
        assert await elsewhere.quota_used() == 2
