"""The newest frame of a running render in the studio."""

import asyncio
import re
from pathlib import Path

import pytest
from playwright.async_api import Locator, Route, expect

from services.backends.previews.images import preview_of
from tests.browser.conftest import Visit
from tests.browser.sites import SMALL, FakeSite, open_fake_site
from tests.browser.visitors import NEEDS_BROWSER, TIMEOUT_MS, WITH_MOTION, StudioUser
from tests.end_to_end.processes import Start
from tests.end_to_end.slow import SlowRenderers
from tests.services.backends.previews.test_images import picture

pytestmark = [pytest.mark.asyncio(loop_scope="session"), NEEDS_BROWSER]

JPEG = preview_of(picture(64, 36))

# The place and size of the newest frame and of the preview. At once, because frames are replaced.
BOXES = """(card) => [".live-preview", ".preview"].map(
    (selector) => card.querySelector(selector).getBoundingClientRect().toJSON()
)"""


class Images:
    """Responds to requests for previews: those of `held` frames once they are released, `missing` ones with 404."""

    def __init__(self) -> None:
        self.held: dict[str, asyncio.Event] = {}
        self.missing: set[str] = set()
        self.requested: list[str] = []

    async def route(self, ann: StudioUser) -> None:
        await ann.page.route("**/outputs/*preview*", self._respond)

    async def _respond(self, route: Route) -> None:
        frame = route.request.url.rpartition("=")[2]
        self.requested.append(frame)
        if frame in self.held:
            await self.held[frame].wait()
        if frame in self.missing:
            await route.fulfill(status=404)
        else:
            await route.fulfill(body=JPEG, content_type="image/jpeg")


async def start_render(ann: StudioUser, site: FakeSite) -> tuple[Locator, str]:
    """Return the card and the id of a new render once it has started."""
    card = await ann.render()
    await expect(card.get_by_text("Rendering", exact=True)).to_be_visible(timeout=TIMEOUT_MS)
    (render_id,) = site.backend.starts
    return card, render_id


async def test_the_newest_frame_is_shown_until_the_video_is_done(
    start: Start, visit: Visit, renderers: SlowRenderers
) -> None:
    renderers.slow_down()
    async with visit(start(**SMALL).url, **WITH_MOTION) as ann:
        await ann.open_studio()
        card = await ann.render("Hello" * 80, seconds=20, style="Typewriter")  # text at rest has no newer previews
        newest = card.get_by_role("img", name="Newest frame of")
        await expect(newest).to_have_js_property("naturalWidth", 320, timeout=TIMEOUT_MS)
        first = await newest.get_attribute("src") or ""
        await expect(newest).not_to_have_attribute("src", first, timeout=TIMEOUT_MS)
        shown, replaced = await card.evaluate(BOXES)
        assert shown == replaced
        renderers.speed_up()
        await expect(card.get_by_text("Done")).to_be_visible(timeout=TIMEOUT_MS)
        await expect(newest).to_have_count(0, timeout=TIMEOUT_MS)
        poster = card.locator("img")
        await expect(poster).to_have_attribute("src", re.compile(r"/files/\w+\.jpg\?"))
        await expect(poster).to_have_js_property("naturalWidth", 320, timeout=TIMEOUT_MS)


async def test_a_frame_stays_until_the_next_is_loaded_or_the_render_has_ended(tmp_path: Path, visit: Visit) -> None:
    images = Images()
    async with open_fake_site(tmp_path) as site, visit(site.url, ignored=("404",), **WITH_MOTION) as ann:
        await ann.open_studio()
        await images.route(ann)  # last, so that it comes first
        card, render_id = await start_render(ann, site)
        newest = card.locator("img")

        site.backend.progress(render_id, 10, preview=10)
        await expect(newest).to_have_attribute("src", re.compile("frame=10$"), timeout=TIMEOUT_MS)
        images.held["20"] = asyncio.Event()
        site.backend.progress(render_id, 20, preview=20)
        await expect(card).to_contain_text("20 of", timeout=TIMEOUT_MS)
        await expect(newest).to_have_attribute("src", re.compile("frame=10$"))
        images.held["20"].set()
        await expect(newest).to_have_attribute("src", re.compile("frame=20$"), timeout=TIMEOUT_MS)

        images.missing.add("30")
        site.backend.progress(render_id, 30, preview=30)
        await expect(card).to_contain_text("30 of", timeout=TIMEOUT_MS)
        site.backend.progress(render_id, 40, preview=40)
        await expect(newest).to_have_attribute("src", re.compile("frame=40$"), timeout=TIMEOUT_MS)
        assert len(images.requested) == len(set(images.requested))

        site.backend.break_down(render_id, retryable=False)
        await expect(card.get_by_text("Failed")).to_be_visible(timeout=TIMEOUT_MS)
        await expect(newest).to_have_count(0)


async def test_frames_are_replaced_rarely_for_users_who_prefer_reduced_motion(tmp_path: Path, visit: Visit) -> None:
    images = Images()
    async with open_fake_site(tmp_path) as site, visit(site.url, reduced_motion="reduce") as ann:
        await ann.open_studio()
        await images.route(ann)  # last, so that it comes first
        card, render_id = await start_render(ann, site)
        site.backend.progress(render_id, 10, preview=10)
        await expect(card.locator("img")).to_have_attribute("src", re.compile("frame=10$"), timeout=TIMEOUT_MS)
        site.backend.progress(render_id, 20, preview=20)
        await expect(card).to_contain_text("20 of", timeout=TIMEOUT_MS)
        await expect(card.locator("img")).to_have_attribute("src", re.compile("frame=10$"))
        assert images.requested == ["10"]
