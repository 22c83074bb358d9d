"""The studio with the compositions of a Remotion project: the picker, generated forms, and problems at their fields."""

import re
from pathlib import Path

import pytest
from playwright.async_api import Page, Route, expect

from services.media import OutputFormat
from tests.browser.conftest import Visit
from tests.browser.relays import Relay
from tests.browser.sites import FakeSite, large_compositions, open_fake_site, remotion_compositions
from tests.browser.visitors import NEEDS_BROWSER, PHONE, TIMEOUT_MS, StudioUser, assert_accessible
from tests.end_to_end.processes import Start
from tests.support.api_client import open_client
from tests.support.fake_backend import ANIMATION
from tests.support.lambda_server import LambdaServer
from tests.support.outputs import make_output
from tests.support.s3_server import S3Server

pytestmark = [pytest.mark.asyncio(loop_scope="session"), NEEDS_BROWSER]


async def serve_outputs(page: Page, content: bytes, media_type: str) -> None:
    """Serve this content as the output of each render, and no posters."""

    async def fulfill(route: Route) -> None:
        if route.request.url.endswith(".jpg"):
            await route.fulfill(status=404)
        else:
            await route.fulfill(body=content, content_type=media_type)

    await page.route("**/outputs/**", fulfill)


async def finish_last(site: FakeSite, ann: StudioUser) -> None:
    """Finish the newest render, once it is running."""
    await expect(ann.cards.first).to_contain_text("Starting the renderer", timeout=TIMEOUT_MS)
    site.backend.finish(site.backend.starts[-1])
    await expect(ann.cards.first).to_contain_text("Done", timeout=TIMEOUT_MS)


async def test_a_composition_is_picked_its_problems_are_fixed_and_it_is_rendered_played_and_downloaded(
    start: Start, visit: Visit, deployment: dict[str, object], function: LambdaServer, s3_server: S3Server
) -> None:
    async with visit(start(**deployment).url, bypass_csp=True) as ann:  # for axe
        ann.allow(s3_server.url)
        await ann.open_studio()
        picker = ann.page.get_by_role("combobox", name="Composition", exact=True)
        await expect(picker).to_have_value("TextAnimation", timeout=TIMEOUT_MS)
        await expect(ann.page.get_by_role("img", name=re.compile("^Preview"))).to_be_visible()
        await picker.select_option("Promo")
        await expect(ann.page.get_by_role("img", name=re.compile("^Preview"))).to_be_hidden()

        title = ann.page.get_by_role("textbox", name="Title")
        seconds = ann.page.get_by_role("spinbutton", name="Seconds")
        await title.fill("")
        await seconds.fill("0")
        await ann.button("Render").click()
        await expect(title).to_be_focused(timeout=TIMEOUT_MS)
        await expect(title).to_have_attribute("aria-invalid", "true")
        await expect(seconds).to_have_accessible_description("Use more than 0. above 0")
        await assert_accessible(ann.page)
        await ann.page.keyboard.type("Spring sale")
        await expect(title).not_to_have_attribute("aria-invalid", "true")
        await seconds.fill("2")
        await expect(ann.page.locator("[data-invalid]")).to_have_count(0)
        assert function.starts == []

        await ann.button("Render").click()
        card = ann.card("Promo: Spring sale")
        await expect(card).to_contain_text("Done", timeout=TIMEOUT_MS)
        await expect(card).to_contain_text("2 s · MP4 1280×720")
        await expect(card).to_contain_text(re.compile(r"\d+ kB · \$0\.\d+ · "))
        await ann.button("Play “Promo: Spring sale”").click()
        await expect(card.locator("video")).to_be_focused()
        await expect(card.locator("video")).to_have_js_property("videoWidth", 160, timeout=TIMEOUT_MS)
        async with ann.page.expect_download() as downloading:
            await card.get_by_role("link", name="Download").click()
        download = await downloading.value
        assert re.fullmatch(r"Promo-\w+\.mp4", download.suggested_filename)
        assert (await download.path()).read_bytes() == make_output(OutputFormat.H264)
        await assert_accessible(ann.page)

        await ann.page.reload()
        await expect(picker).to_have_value("Promo", timeout=TIMEOUT_MS)
        await expect(card).to_be_visible()


async def test_props_without_a_schema_are_json_and_sound_and_documents_have_players_and_links(
    tmp_path: Path, visit: Visit
) -> None:
    async with (
        open_fake_site(tmp_path, compositions=remotion_compositions()) as site,
        visit(site.url, viewport=PHONE, bypass_csp=True, ignored=("404",)) as ann,
    ):
        await ann.open_studio()
        await expect(ann.page.get_by_label("Composition", exact=True)).to_have_value("Promo")
        await ann.page.get_by_label("Composition", exact=True).select_option("Plain")
        props = ann.page.get_by_role("textbox", name="Props as JSON")
        await props.fill("{")
        await ann.button("Render").click()
        await expect(props).to_be_focused()
        await expect(props).to_have_accessible_description(re.compile("This is not valid JSON"))
        await props.fill('{"title": "Sound"}')
        await ann.page.locator("#output summary").click()
        await ann.page.get_by_label("Format").select_option("WAV")
        await assert_accessible(ann.page)
        await ann.button("Render").click()
        card = ann.card("Plain: Sound")
        await expect(card).to_be_in_viewport(timeout=TIMEOUT_MS)
        await serve_outputs(ann.page, make_output(OutputFormat.WAV), "audio/wav")
        await finish_last(site, ann)
        await ann.button("Play “Plain: Sound”").click()
        await expect(card.locator("audio")).to_have_js_property("readyState", 4, timeout=TIMEOUT_MS)

        await ann.page.get_by_label("Composition", exact=True).select_option("Card")
        await ann.page.get_by_label("Format").select_option("PDF")
        await ann.button("Render").click()
        await expect(ann.card("Card: Card")).to_have_count(1, timeout=TIMEOUT_MS)
        await finish_last(site, ann)
        await expect(ann.card("Card: Card").get_by_role("link", name="Open")).to_have_attribute("target", "_blank")
        assert await ann.page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
        await assert_accessible(ann.page)


async def test_a_composition_is_rendered_by_keyboard(tmp_path: Path, visit: Visit) -> None:
    async with (
        open_fake_site(tmp_path, compositions=(ANIMATION, *remotion_compositions())) as site,
        visit(site.url) as ann,
    ):
        await ann.open_studio()
        await expect(ann.page.get_by_label("Composition", exact=True)).to_be_visible()
        await ann.tab_to("combobox", "Composition")
        await ann.page.keyboard.press("ArrowDown")
        await expect(ann.page.get_by_role("textbox", name="Title")).to_be_visible(timeout=TIMEOUT_MS)
        await ann.tab_to("textbox", "Title")
        await ann.page.keyboard.type("Keys")
        await ann.tab_to("button", "Add item to Scenes")
        await ann.page.keyboard.press("Enter")
        await ann.page.keyboard.type("Two")
        await ann.tab_to("button", "Move item 2 of Scenes up")
        await ann.page.keyboard.press("Enter")
        await expect(ann.page.locator("[aria-live]")).to_have_text("Moved to position 1 of 2.")
        await ann.tab_to("combobox", "Type")
        await ann.page.keyboard.press("ArrowDown")
        await ann.tab_to("textbox", "Src")
        await ann.page.keyboard.type("https://example.com/a.png")
        await ann.page.keyboard.press("Enter")
        await expect(ann.card("Promo: Keys")).to_have_count(1, timeout=TIMEOUT_MS)
        async with open_client(site.url) as elsewhere:
            renders = await elsewhere.execute("{ renders { edges { node { inputProps } } } }")
        [props] = [edge["node"]["inputProps"] for edge in renders["edges"]]
        assert [scene["text"] for scene in props["scenes"]] == ["Two", "One"]
        assert props["bg"] == {"type": "image", "src": "https://example.com/a.png"}


async def test_a_render_that_was_started_elsewhere_is_shown_with_its_title(tmp_path: Path, visit: Visit) -> None:
    async with (
        open_fake_site(tmp_path, compositions=remotion_compositions()) as site,
        visit(site.url) as ann,
        open_client(site.url) as elsewhere,
    ):
        await ann.open_studio()
        await expect(ann.first_visit).to_be_visible(timeout=TIMEOUT_MS)
        await elsewhere.start_composition("Plain", {"title": "Elsewhere"})
        await expect(ann.card("Plain: Elsewhere")).to_be_visible(timeout=TIMEOUT_MS)


async def test_compositions_with_large_props_are_offered_and_rendered(tmp_path: Path, visit: Visit) -> None:
    async with open_fake_site(tmp_path, compositions=large_compositions()) as site, visit(site.url) as ann:
        await ann.open_studio()
        await ann.page.get_by_label("Composition", exact=True).select_option("Promo7", timeout=TIMEOUT_MS)
        await ann.page.get_by_role("textbox", name="Title").fill("Large", timeout=TIMEOUT_MS)
        await ann.button("Render").click()
        await expect(ann.card("Promo7: Large")).to_be_visible(timeout=TIMEOUT_MS)
        await expect(ann.page.get_by_role("alert")).to_be_hidden()
        await ann.page.reload()
        await expect(ann.card("Promo7: Large")).to_be_visible(timeout=TIMEOUT_MS)
        await expect(ann.page.get_by_role("textbox", name="Title")).to_have_value("Hello")


async def test_while_the_fields_of_a_composition_are_loaded_a_message_says_so(tmp_path: Path, visit: Visit) -> None:
    relay = Relay(text="ReadComposition(")
    async with (
        open_fake_site(tmp_path, compositions=large_compositions()) as site,
        visit(site.url, bypass_csp=True) as ann,  # for axe
    ):
        await relay.listen(ann.page)
        await ann.open_studio()
        await ann.page.get_by_label("Composition", exact=True).select_option("Promo1", timeout=TIMEOUT_MS)
        await expect(ann.page.locator("#composition-fields")).to_have_text("Loading the fields of Promo1…")
        await expect(ann.page.locator("[aria-live]")).to_have_text("Loading the fields of Promo1…")
        await ann.button("Render").click()
        await expect(ann.page.get_by_role("alert")).to_have_text("The fields of Promo1 are not loaded yet.")
        await assert_accessible(ann.page)
        relay.release()
        await expect(ann.page.get_by_role("textbox", name="Title")).to_be_visible(timeout=TIMEOUT_MS)
        await expect(ann.page.locator("[aria-live]")).to_have_text("The fields of Promo1 are loaded.")
        await ann.button("Render").click()
        await expect(ann.card("Promo1: Hello")).to_be_visible(timeout=TIMEOUT_MS)
        await expect(ann.page.get_by_role("alert")).to_be_hidden()


async def test_fields_that_can_not_be_loaded_are_reported_and_loaded_on_request(tmp_path: Path, visit: Visit) -> None:
    relay = Relay(text="ReadComposition(")
    async with (
        open_fake_site(tmp_path, compositions=large_compositions()) as site,
        visit(site.url, bypass_csp=True) as ann,  # for axe
    ):
        await relay.listen(ann.page)
        await ann.open_studio()
        picker = ann.page.get_by_label("Composition", exact=True)
        await picker.select_option("Promo1", timeout=TIMEOUT_MS)
        await relay.hold(1)
        relay.fail("The result is too large.")
        alert = ann.page.get_by_role("alert")
        await expect(alert).to_have_text("The fields of Promo1 can't be loaded. The result is too large.")
        await assert_accessible(ann.page)
        relay.is_open = True
        await ann.button("Try again").click()
        await expect(ann.page.get_by_role("textbox", name="Title")).to_be_visible(timeout=TIMEOUT_MS)
        await expect(alert).to_be_hidden()
        await expect(picker).to_be_focused()


async def test_fields_that_are_too_large_prevent_no_other_composition(tmp_path: Path, visit: Visit) -> None:
    async with (
        open_fake_site(tmp_path, compositions=large_compositions(), max_result_bytes=100_000) as site,
        visit(site.url) as ann,
    ):
        await ann.open_studio()
        picker = ann.page.get_by_label("Composition", exact=True)
        await picker.select_option("Promo1", timeout=TIMEOUT_MS)
        await expect(ann.page.get_by_role("alert")).to_contain_text("can't be loaded.", timeout=TIMEOUT_MS)
        await picker.select_option("Plain")
        await expect(ann.page.get_by_role("textbox", name="Props as JSON")).to_be_visible(timeout=TIMEOUT_MS)
        await expect(ann.page.get_by_role("alert")).to_be_hidden()
