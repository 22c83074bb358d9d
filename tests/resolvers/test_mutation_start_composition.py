"""startRender with a composition and an output: what is stored, and what the render's fields return."""

from typing import Any

import pytest

from services.media import FORMATS, OutputFormat
from tests.support.api_client import GET, INPUT, RETRY, START, Client
from tests.support.api_compositions import CARD, PROMO
from tests.support.fake_backend import FakeBackend

pytestmark = pytest.mark.asyncio(loop_scope="module")

TITLE: dict[str, Any] = {"title": "Hi"}
NO_OPTIONS = {
    **dict.fromkeys(("scale", "crf", "bitrateKbps", "proResProfile", "everyNthFrame", "loops", "frame", "quality")),
    "transparent": False,
    "muted": False,
}
SAVED = "query ($id: ID!, $saves: Boolean!) { render(id: $id) { shown: outputUrl saved: outputUrl(download: $saves) } }"


async def started(client: Client, composition_id: str, props: object = TITLE, **given: Any) -> dict[str, Any]:
    """Start a composition, and return the input of its render as the API returns it, with its id."""
    result = await client.start_composition(composition_id, props, **given)
    assert result["__typename"] == "StartRenderSuccess", result
    render_id = result["render"]["id"]
    return {"id": render_id, **await client.execute(INPUT, id=render_id)}


def output_of(render: dict[str, Any], **expected: object) -> dict[str, object]:
    """Return the expected output: 1280x720 with 30 frames per second and without options, unless given."""
    row = FORMATS[OutputFormat[str(expected["format"])]]
    return {
        **NO_OPTIONS,
        "kind": row.kind.name,
        "contentType": row.media_type,
        "fileName": f"{render['compositionId']}-{render['id']}.{row.extension}",
        "width": 1280,
        "height": 720,
        "fps": 30.0,
        **expected,
    }


async def test_a_composition_is_started_with_the_props_as_sent(ann: Client) -> None:
    props = {"title": "Zoë 🎬", "scenes": [{"title": "one", "seconds": 0.5}]}
    render = await started(ann, "Promo", props, generation_id="film 7")
    assert render["compositionId"] == "Promo"
    assert render["inputProps"] == props  # without the defaults, which Remotion merges in
    assert render["animationProps"] is None
    assert render["totalFrames"] == 90
    assert render["output"] == output_of(render, format="H264")
    assert await ann.quota_used() == 1


async def test_props_may_be_literals_and_contain_variables(ann: Client) -> None:
    document = """
        mutation ($title: JSON!, $seconds: JSON) {
          startRender(input: {composition: {id: "Promo", props: {
            title: $title, size: 3, scenes: [{title: "", seconds: 1.5}, {title: "two", seconds: $seconds}]
          }}}) { ... on StartRenderSuccess { render { inputProps } } ... on UserError { message } }
        }
    """
    result = await ann.execute(document, title="Hi", seconds=2)
    scenes = [{"title": "", "seconds": 1.5}, {"title": "two", "seconds": 2}]
    assert result == {"render": {"inputProps": {"title": "Hi", "size": 3, "scenes": scenes}}}


async def test_keys_of_variables_without_a_value_are_left_out_of_literal_props(ann: Client) -> None:
    document = """
        mutation ($title: JSON = "Hi", $size: JSON, $tag: JSON) {
          startRender(input: {composition: {id: "Odd", props: {
            title: $title, size: $size, list: [$size, $tag, {tag: $tag, size: $size}]
          }}, output: {gif: {}}}) { ... on StartRenderSuccess { render { inputProps } } ... on UserError { message } }
        }
    """
    result = await ann.execute(document, tag=None)
    assert result == {"render": {"inputProps": {"title": "Hi", "list": [None, None, {"tag": None}]}}}


async def test_any_json_object_is_accepted_for_a_composition_without_a_schema(ann: Client) -> None:
    props = {"a": None, "b": [True, 1, 1.5, "\u2028", {}], "": {"c/d~e": -(2**53 - 1)}}
    assert (await started(ann, "Odd", props, output={"gif": {}}))["inputProps"] == props


async def test_a_still_is_a_png_unless_another_format_is_requested(ann: Client) -> None:
    render = await started(ann, "Card", {})
    assert render["output"] == output_of(render, format="PNG", width=800, height=600)
    assert render["totalFrames"] == 1
    render = await started(ann, "Card", {}, output={"still": {"format": "JPEG", "quality": 60, "scale": 0.5}})
    expected = output_of(render, format="JPEG", width=400, height=300, quality=60, scale=0.5)
    assert render["output"] == expected


async def test_a_still_of_an_animation_is_its_last_frame_and_of_a_composition_its_first(ann: Client) -> None:
    composition = await started(ann, "Promo", output={"still": {}})
    result = await ann.execute(START, input={"animationProps": {"text": "Hi"}, "output": {"still": {}}})
    animation = await ann.execute(INPUT, id=result["render"]["id"])
    assert (composition["output"]["frame"], animation["output"]["frame"]) == (None, -1)


@pytest.mark.parametrize(
    ("output", "expected", "frames"),
    [
        ({"video": {}}, {"format": "H264"}, 90),
        (
            {"video": {"format": "H265", "width": 640, "height": 360, "fps": 60, "crf": 23, "muted": True}},
            {"format": "H265", "width": 640, "height": 360, "fps": 60.0, "crf": 23, "muted": True},
            180,
        ),
        (
            {"video": {"format": "VP8", "bitrateKbps": 900, "transparent": True}},
            {"format": "VP8", "bitrateKbps": 900, "transparent": True},
            90,
        ),
        (
            {"video": {"format": "VP9", "scale": 1.5, "fps": 0.5 * 25}},
            {"format": "VP9", "width": 1920, "height": 1080, "scale": 1.5, "fps": 12.5},
            38,
        ),
        (
            {"video": {"format": "PRORES", "proResProfile": "P4444", "transparent": True}},
            {"format": "PRORES", "proResProfile": "P4444", "transparent": True},
            90,
        ),
        (
            {"gif": {"everyNthFrame": 4, "loops": 2, "width": 321, "height": 181}},
            {"format": "GIF", "everyNthFrame": 4, "loops": 2, "width": 321, "height": 181, "fps": 7.5},
            23,
        ),
        ({"audio": {}}, {"format": "MP3", "width": None, "height": None}, 90),
        (
            {"audio": {"format": "AAC", "bitrateKbps": 192}},
            {"format": "AAC", "bitrateKbps": 192, "width": None, "height": None},
            90,
        ),
        ({"still": {"frame": 0}}, {"format": "PNG", "frame": 0}, 1),
        ({"still": {"format": "WEBP", "frame": -90}}, {"format": "WEBP", "frame": -90}, 1),
        ({"still": {"format": "PDF", "frame": 89}}, {"format": "PDF", "frame": 89}, 1),
    ],
)
@pytest.mark.parametrize("composition", ["Promo", "TextAnimation"])
async def test_an_output_is_stored_with_its_effective_size_and_length(
    ann: Client, composition: str, output: dict[str, object], expected: dict[str, object], frames: int
) -> None:
    if composition == "Promo":
        render = await started(ann, composition, output=output)
    else:
        result = await ann.execute(START, input={"animationProps": {"text": "Hi"}, "output": output})
        render_id = result["render"]["id"]
        render = {"id": render_id, **await ann.execute(INPUT, id=render_id)}
    assert render["output"] == output_of(render, **expected)
    assert render["totalFrames"] == frames


async def test_only_the_text_of_an_animation_is_required(ann: Client) -> None:
    result = await ann.execute(START, input={"animationProps": {"text": "Hi"}})
    assert result["render"]["animationProps"] == {
        "text": "Hi",
        "style": "FADE_IN",
        "fontFamily": "Inter",
        "fontSize": 96.0,
        "color": "#ffffff",
        "backgroundColor": None,
        "durationInFrames": 90,
        "fps": 30,
    }
    render = await ann.execute(INPUT, id=result["render"]["id"])
    assert render["compositionId"] == "TextAnimation"
    assert render["inputProps"] == {
        "text": "Hi",
        "style": "fade-in",
        "fontFamily": "Inter",
        "fontSize": 96.0,
        "color": "#ffffff",
        "durationInFrames": 90,
        "fps": 30,
    }


async def test_a_repeated_start_with_the_same_key_and_input_returns_its_render(ann: Client) -> None:
    given: dict[str, Any] = {"output": {"gif": {"loops": 1}}, "generation_id": "g", "key": "k"}
    first = await ann.start_composition("Promo", {"title": "Hi", "scenes": []}, **given)
    again = await ann.start_composition("Promo", {"scenes": [], "title": "Hi"}, **given)  # the order has no meaning
    assert (first["duplicate"], again["duplicate"]) == (False, True)
    assert again["render"]["id"] == first["render"]["id"]
    assert await ann.quota_used() == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"composition_id": "Odd"},
        {"props": {"title": "Ho"}},
        {"props": {"title": "Hi", "size": 2}},  # the default's value, but another request
        {"output": {"gif": {"loops": 2}}},
        {"output": {"video": {}}},
        {"generation_id": "h"},
        {"generation_id": None},
    ],
    ids=str,
)
async def test_a_key_that_is_used_again_with_another_input_is_rejected(ann: Client, changed: dict[str, Any]) -> None:
    given: dict[str, Any] = {
        "composition_id": "Promo",
        "props": TITLE,
        "output": {"gif": {"loops": 1}},
        "generation_id": "g",
        "key": "k",
    }
    first = await ann.start_composition(**given)
    again = await ann.start_composition(**{**given, **changed})
    assert again["__typename"] == "IdempotencyKeyReused"
    assert again["message"].startswith("This idempotency key was used before, with another input.")
    assert again["render"]["id"] == first["render"]["id"]
    assert await ann.quota_used() == 1
    assert len(await ann.list_renders()) == 1


async def test_a_key_of_an_animation_is_rejected_for_other_words_and_for_a_composition(ann: Client) -> None:
    render_id = await ann.start_render(key="k")
    others = [await ann.start(key="k", text="other words"), await ann.start_composition("Promo", TITLE, key="k")]
    assert [(other["__typename"], other["render"]["id"]) for other in others] == [
        ("IdempotencyKeyReused", render_id)
    ] * 2


async def test_a_retry_copies_composition_props_and_output(ann: Client, backend: FakeBackend) -> None:
    output = {"video": {"format": "PRORES", "proResProfile": "HQ", "fps": 24, "width": 641}}
    render = await started(ann, "Promo", output=output, generation_id="g")
    await ann.until(render["id"], status="RENDERING")
    backend.break_down(render["id"], retryable=False)
    await ann.until(render["id"], status="FAILED")
    retried = (await ann.execute(RETRY, id=render["id"]))["render"]
    assert retried["id"] != render["id"]
    assert retried["generationId"] == "g"
    copy = await ann.execute(INPUT, id=retried["id"])
    assert copy["output"].pop("fileName") == render["output"].pop("fileName").replace(render["id"], retried["id"])
    assert copy == {name: value for name, value in render.items() if name != "id"}


async def test_a_download_is_saved_under_a_readable_name(ann: Client, backend: FakeBackend) -> None:
    render = await started(ann, "Card", {})
    assert await ann.execute(SAVED, id=render["id"], saves=True) == {"shown": None, "saved": None}
    await ann.until(render["id"], status="RENDERING")
    backend.finish(render["id"])
    await ann.until(render["id"], status="COMPLETE")
    urls = await ann.execute(SAVED, id=render["id"], saves=True)
    assert urls["saved"] == f"{urls['shown']}?download=Card-{render['id']}.png"
    assert await ann.execute(SAVED, id=render["id"], saves=False) == {"shown": urls["shown"], "saved": urls["shown"]}
    assert (await ann.execute(GET, id=render["id"]))["outputUrl"] == urls["shown"]


async def test_the_schema_and_the_defaults_of_a_composition_are_listed(ann: Client, anonymous: Client) -> None:
    fields = "id kind width height fps durationInFrames defaultProps propsSchema outputs"
    listed = await ann.execute(f"{{ compositions {{ {fields} }} }}")
    assert [each["id"] for each in listed] == ["TextAnimation", "Promo", "Card", "Odd", "Film", "Wall", "Reel"]
    promo = await ann.execute(f"query ($id: ID!) {{ composition(id: $id) {{ {fields} }} }}", id="Promo")
    assert promo == listed[1]
    assert promo["kind"] == "VIDEO"
    assert (promo["width"], promo["height"], promo["fps"], promo["durationInFrames"]) == (1280, 720, 30.0, 90)
    assert promo["defaultProps"] == {"size": 2, "scenes": []}
    assert promo["propsSchema"]["required"] == ["title", "scenes"]
    assert promo["outputs"] == [name.name for name in PROMO.outputs]
    card = listed[2]
    assert (card["kind"], card["propsSchema"], card["defaultProps"]) == ("STILL", None, {})
    assert card["outputs"] == [name.name for name in CARD.outputs] == ["PNG", "JPEG", "WEBP", "PDF"]
    assert await ann.execute('{ composition(id: "Nope") { id } }') is None
    for document in ("{ compositions { id } }", '{ composition(id: "Promo") { id } }'):
        assert (await anonymous.error(document))["extensions"] == {"code": "UNAUTHENTICATED"}
