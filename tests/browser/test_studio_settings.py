"""The settings of a render in the studio's form, and the form's keyboard shortcut and errors."""

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Visit
from tests.browser.sites import open_fake_site, remotion_compositions
from tests.browser.visitors import NEEDS_BROWSER, TIMEOUT_MS
from tests.support.api_client import Client, open_client
from tests.support.fake_backend import ANIMATION

pytestmark = [pytest.mark.asyncio(loop_scope="session"), NEEDS_BROWSER]

START = """mutation ($input: StartRenderInput!) {
  startRender(input: $input) { __typename ... on UserError { message } ... on StartRenderSuccess { render { id } } }
}"""
READ = """{ renders(first: 2) { edges { node {
  compositionId inputProps
  animationProps { text style fontFamily fontSize fontWeight italic color backgroundColor durationInFrames fps }
  output {
    format width height fps scale crf bitrateKbps transparent muted proResProfile everyNthFrame loops frame quality
  }
} } } }"""
ANIMATION_PROPS = {  # the sliders have no steps for its size and duration
    "text": "שלום & <b>مرحبا</b>\n🙂",
    "style": "SLIDE_UP",
    "fontFamily": "Roboto Mono",
    "fontSize": 72.5,
    "fontWeight": 700,
    "italic": True,
    "color": "rgb(255 250 240)",
    "backgroundColor": None,
    "durationInFrames": 50,
}
EVERYTHING = [
    {"animationProps": ANIMATION_PROPS},
    {
        "animationProps": ANIMATION_PROPS,
        "output": {
            "video": {"format": "VP9", "width": 640, "height": 360, "scale": 0.5, "fps": 10, "crf": 40, "muted": True}
        },
    },
    {"animationProps": {"text": "Moving"}, "output": {"gif": {"everyNthFrame": 3, "loops": 2}}},
    {"animationProps": {"text": "Standing"}, "output": {"still": {"format": "JPEG", "frame": 7, "quality": 55}}},
    {"composition": {"id": "Plain", "props": {"title": "Plain", "list": [1, {"a": None}]}}},
    {
        "composition": {"id": "Promo", "props": {"title": "New title"}},
        "output": {"video": {"format": "H265", "crf": 30}},
    },
]


async def newest_two(client: Client) -> list[dict[str, Any]]:
    """Return the inputs of the newest two renders. Those of compositions have the default props too."""
    defaults = {each.id: json.loads(each.default_props) for each in remotion_compositions()}
    renders = [edge["node"] for edge in (await client.execute(READ))["edges"]]
    return [
        {**render, "inputProps": defaults.get(render["compositionId"], {}) | render["inputProps"]} for render in renders
    ]


async def test_a_render_with_the_settings_of_another_has_the_same_input(tmp_path: Path, visit: Visit) -> None:
    compositions = (ANIMATION, *remotion_compositions())
    async with (
        open_fake_site(tmp_path, compositions=compositions, quota_limit=100) as site,
        visit(site.url) as ann,
        open_client(site.url) as elsewhere,
    ):
        await site.backend.stop_starting()
        await ann.open_studio()
        for number, settings in enumerate(EVERYTHING):
            started = await elsewhere.execute(START, input=settings)
            assert started["__typename"] == "StartRenderSuccess", started
            await expect(ann.cards).to_have_count(2 * number + 1, timeout=TIMEOUT_MS)
            await ann.cards.first.get_by_role("button", name="Use these settings").click()
            await expect(ann.page.locator("[aria-live]")).to_contain_text(
                "The form has the settings of", timeout=TIMEOUT_MS
            )
            await ann.page.get_by_role("heading", name="New render").press("Control+Enter")
            await expect(ann.cards).to_have_count(2 * number + 2, timeout=TIMEOUT_MS)
            again, first = await newest_two(elsewhere)
            assert again == first


async def test_settings_of_a_composition_that_is_gone_can_not_be_used(tmp_path: Path, visit: Visit) -> None:
    compositions = (ANIMATION, *remotion_compositions())
    async with open_fake_site(tmp_path, compositions=compositions) as site, open_client(site.url) as elsewhere:
        await site.backend.stop_starting()
        await elsewhere.start_composition("Plain", {"title": "Gone"})
    async with open_fake_site(tmp_path) as site, visit(site.url) as ann:
        await ann.open_studio()
        card = ann.card("Plain: Gone")
        await card.get_by_role("button", name="Use these settings").click()
        await expect(card).to_contain_text("The server has no composition Plain any more.", timeout=TIMEOUT_MS)


async def test_errors_disappear_when_they_are_fixed_and_control_enter_renders(tmp_path: Path, visit: Visit) -> None:
    async with (
        open_fake_site(tmp_path, compositions=(ANIMATION, *remotion_compositions())) as site,
        visit(site.url) as ann,
    ):
        await site.backend.stop_starting()
        await ann.open_studio()
        text = ann.page.get_by_label("Text", exact=True)
        color = ann.page.get_by_label("Text colour", exact=True)
        await text.fill(" ")
        await color.fill("blurple")
        await ann.button("Render").click()
        await expect(text).to_have_attribute("aria-invalid", "true", timeout=TIMEOUT_MS)
        await ann.page.get_by_label("Pick the text colour").fill("#ff8800")
        await expect(color).not_to_have_attribute("aria-invalid", "true")
        await text.fill("Fixed")
        await expect(ann.page.locator("[aria-invalid]")).to_have_count(0)
        await expect(ann.page.locator(".problem:not(:empty)")).to_have_count(0)
        await ann.page.locator("#output summary").click()
        crf, bit_rate = (ann.page.get_by_role("spinbutton", name=name) for name in ("CRF", "Bit rate"))
        await crf.fill("20")
        await bit_rate.fill("500")
        await ann.button("Render").click()
        await expect(crf).to_have_attribute("aria-invalid", "true", timeout=TIMEOUT_MS)
        await bit_rate.fill("")  # another field than that of the problem
        await expect(crf).not_to_have_attribute("aria-invalid", "true", timeout=TIMEOUT_MS)

        await text.press("Control+Enter")
        await expect(ann.card("Fixed")).to_be_visible(timeout=TIMEOUT_MS)
        await text.press("Meta+Enter")
        await expect(ann.card("Fixed")).to_have_count(2, timeout=TIMEOUT_MS)
        assert await text.input_value() == "Fixed"

        await ann.page.get_by_label("Composition", exact=True).select_option("Promo")
        title = ann.page.get_by_role("textbox", name="Title")
        await title.fill("")
        await ann.button("Render").click()
        await expect(title).to_have_attribute("aria-invalid", "true", timeout=TIMEOUT_MS)
        await title.fill("A title")
        await expect(ann.page.locator("[data-invalid]")).to_have_count(0)
