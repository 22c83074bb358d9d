"""All queries but `renders`, over HTTP."""

import asyncio
from datetime import datetime

import pytest

from services.backends.text.font_library import FontLibrary
from services.media import OutputFormat, OutputOptions
from services.models import AnimationProps
from services.models.text_layout import TextLayout, TextRun, WebFont
from tests.support.api_client import CANCEL, GET, NODE, QUOTA_LEFT, Client
from tests.support.api_site import Site
from tests.support.fake_backend import FakeBackend

pytestmark = pytest.mark.asyncio(loop_scope="module")


# render, node


async def test_a_render_is_the_same_in_all_queries(ann: Client, backend: FakeBackend) -> None:
    await backend.stop_starting()
    render_id = await ann.start_render()
    render = await ann.execute(GET, id=render_id)
    assert await ann.execute(NODE, id=render_id) == {"__typename": "Render", **render}
    assert await ann.list_renders() == [render]


async def test_the_queue_position_counts_the_earlier_renders_of_all_users(
    ann: Client, bob: Client, backend: FakeBackend
) -> None:
    await backend.stop_starting()
    first = await ann.start_render()
    second = await bob.start_render()
    third = await ann.start_render()
    positions = [(await client.execute(GET, id=id_))["queuePosition"] for client, id_ in ((ann, first), (bob, second))]
    assert positions[1] > positions[0] >= 1
    await bob.execute(CANCEL, id=second)
    assert (await bob.execute(GET, id=second))["queuePosition"] is None
    assert (await ann.execute(GET, id=third))["queuePosition"] == positions[0] + 1


async def test_progress_never_decreases_and_is_100_only_when_complete(ann: Client, backend: FakeBackend) -> None:
    render_id = await ann.start_render()
    for frames, percent in ((1, 1), (45, 50), (30, 50), (89, 98), (90, 99)):
        await ann.until(render_id, status="RENDERING")
        backend.progress(render_id, frames)
        render = await ann.until(render_id, progress=percent)
        assert render["status"] == "RENDERING"
    backend.finish(render_id)
    render = await ann.until(render_id, status="COMPLETE")
    assert (render["progress"], render["framesRendered"], render["costUsd"]) == (100, 90, 0.01)


# renderQuota, renderLimits


async def test_reading_the_quota_uses_none_of_it(site: Site, ann: Client) -> None:
    quotas = [await ann.execute(QUOTA_LEFT) for _ in range(10)]
    assert quotas == [quotas[0]] * 10
    assert (quotas[0]["limit"], quotas[0]["remaining"], quotas[0]["windowSeconds"]) == (5, 5, 3600)
    assert datetime.fromisoformat(quotas[0]["resetsAt"]) > site.clock.now()


async def test_the_time_until_the_quota_resets_needs_no_clock_of_the_client(site: Site, ann: Client) -> None:
    before = site.clock.now()
    quota = await ann.execute("{ renderQuota { resetsAt resetsInSeconds } }")
    seconds = (datetime.fromisoformat(quota["resetsAt"]) - before).total_seconds()
    assert quota["resetsInSeconds"] == pytest.approx(seconds, abs=60)
    assert quota["resetsInSeconds"] >= 1


async def test_the_limits_are_the_enforced_ones(ann: Client) -> None:
    limits = await ann.execute(
        "{ renderLimits { maxDurationSeconds maxDurationInFrames fps maxTextLength minFontSize maxFontSize } }"
    )
    assert limits == {
        "maxDurationSeconds": 20,
        "maxDurationInFrames": 600,
        "fps": 30,
        "maxTextLength": 500,
        "minFontSize": 8.0,
        "maxFontSize": 500.0,
    }
    for value in (limits["minFontSize"], limits["maxFontSize"]):
        assert (await ann.start(fontSize=value))["__typename"] == "StartRenderSuccess"
    for value in (limits["minFontSize"] - 0.01, limits["maxFontSize"] + 0.01):
        assert (await ann.start(fontSize=value))["__typename"] == "InvalidAnimation"
    assert (await ann.start(text="𝔁" * limits["maxTextLength"]))["__typename"] == "StartRenderSuccess"


# textLayout

LAYOUT = TextLayout(
    width=640,
    height=360,
    frames=90,
    fps=30,
    font_size=48,
    graphemes=2,
    runs=(TextRun(text="Hi", x=1.5, baseline=100, font=0, is_rtl=False, start=0, end=2),),
    fonts=(WebFont(id="a", data=b"font"),),
    warnings=("The font size was reduced.",),
)


async def test_the_layout_of_a_valid_animation_is_that_of_the_text_renderer(
    ann: Client, anonymous: Client, backend: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = """query ($props: AnimationPropsInput!) { textLayout(animationProps: $props) {
        width height durationInFrames fps fontSize graphemes warnings
        runs { text x baseline font rtl start end } fonts { id data }
    } }"""
    assert await ann.execute(query, props={"text": "Hi"}) is None  # Remotion draws it

    async def lay_out(props: AnimationProps, options: OutputOptions) -> TextLayout:
        assert (props.text, options.format) == ("Hi", OutputFormat.H264)
        return LAYOUT

    monkeypatch.setattr(backend, "lay_out", lay_out, raising=False)
    assert await ann.execute(query, props={"text": "Hi"}) == {
        "width": 640,
        "height": 360,
        "durationInFrames": 90,
        "fps": 30.0,
        "fontSize": 48.0,
        "graphemes": 2,
        "warnings": ["The font size was reduced."],
        "runs": [{"text": "Hi", "x": 1.5, "baseline": 100.0, "font": 0, "rtl": False, "start": 0, "end": 2}],
        "fonts": [{"id": "a", "data": "Zm9udA=="}],
    }
    assert await ann.execute(query, props={"text": ""}) is None
    assert (await anonymous.error(query, props={"text": "Hi"}))["extensions"]["code"] == "UNAUTHENTICATED"


async def test_a_caller_waits_for_one_layout_of_another_at_most(
    ann: Client, bob: Client, backend: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = "query ($text: String!) { textLayout(animationProps: {text: $text}) { fontSize } }"
    started: list[str] = []
    is_bobs_turn = asyncio.Event()

    async def lay_out(props: AnimationProps, _: OutputOptions) -> TextLayout:
        started.append(props.text)
        if props.text == "bob":
            is_bobs_turn.set()
        await is_bobs_turn.wait()
        return LAYOUT

    monkeypatch.setattr(backend, "lay_out", lay_out, raising=False)
    await asyncio.gather(*(ann.execute(query, text="ann") for _ in range(3)), bob.execute(query, text="bob"))
    assert started == ["ann", "bob", "ann", "ann"]


# fonts


async def test_the_fonts_of_the_text_renderer_are_listed(
    ann: Client, anonymous: Client, backend: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = "{ fonts { family weights italic scripts } }"
    assert await ann.execute(query) == []
    monkeypatch.setattr(backend, "font_families", FontLibrary().describe, raising=False)
    fonts = {font.pop("family"): font for font in await ann.execute(query)}
    assert fonts["Roboto Mono"] == {
        "weights": [100, 200, 300, 400, 500, 600, 700],
        "italic": True,
        "scripts": ["Latn", "Grek", "Cyrl"],
    }
    assert (await anonymous.error(query))["extensions"]["code"] == "UNAUTHENTICATED"
