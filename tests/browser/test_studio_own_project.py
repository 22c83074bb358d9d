"""The first minutes of a developer: `rendercast dev --project` on a new Remotion project, and the studio."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Visit
from tests.browser.visitors import CHROMIUM, NEEDS_BROWSER, TIMEOUT_MS
from tests.end_to_end.processes import COMMAND, Running, assert_no_traceback, quiet_window_s
from tests.support.fresh_project import make_fresh_project, open_gate
from tests.support.node_renderer import needs_node

BUNDLING_TIMEOUT_S = 240.0  # without a cache, webpack takes 40 s on a busy machine

pytestmark = [pytest.mark.asyncio(loop_scope="session"), NEEDS_BROWSER, needs_node]


@contextmanager
def dev(folder: Path, project: Path) -> Iterator[Running]:
    """Run `rendercast dev --project`."""
    settings = {"remotion_browser": CHROMIUM, "quota_window_s": quiet_window_s()}
    command = [COMMAND, "dev", "--port", "0", "--project", str(project)]
    running = Running(folder, command, settings, timeout_s=BUNDLING_TIMEOUT_S)
    try:
        yield running
    finally:
        running.close()
    assert_no_traceback(running.log)


async def test_a_new_project_is_rendered_with_a_live_preview_and_played(tmp_path: Path, visit: Visit) -> None:
    async with open_gate() as gate:
        with dev(tmp_path, make_fresh_project(tmp_path, gate=gate)) as server:
            async with visit(server.url) as ann:
                await ann.open_studio()
                picker = ann.page.get_by_role("combobox", name="Composition", exact=True)
                await expect(picker).to_have_value("Counter", timeout=TIMEOUT_MS)
                await expect(picker.locator("option")).to_have_text(["Counter (320×180, 3 s)", "Thumbnail (320×180)"])
                await ann.button("Render").click()
                card = ann.card("Counter")
                newest = card.get_by_role("img", name="Newest frame of “Counter”")
                await expect(newest).to_have_js_property("naturalWidth", 320, timeout=TIMEOUT_MS)
                await expect(card).to_contain_text("of 90 frames")
                gate.open()
                await expect(card).to_contain_text("Done", timeout=TIMEOUT_MS)
                await ann.button("Play “Counter”").click()
                video = card.locator("video")
                await expect(video).to_have_js_property("duration", 3, timeout=TIMEOUT_MS)
                await expect(video).to_have_js_property("videoWidth", 320)
                await ann.page.wait_for_function("document.querySelector('video').currentTime > 0", timeout=TIMEOUT_MS)
                await expect(newest).to_have_count(0)
