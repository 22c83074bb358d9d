"""startRender over HTTP: outputs that do not fit the composition or the limits are rejected with their paths."""

from typing import Any

import pytest

from tests.support.api_client import START, Client

pytestmark = pytest.mark.asyncio(loop_scope="module")

TOO_LONG = "Animation too long. Maximum duration is 20 seconds."
TOO_LARGE = (
    "Width times height times frames exceeds 4,976,640,000. Choose a smaller size or fewer frames."  # 20 s of 4K
)
TITLE: dict[str, Any] = {"title": "Hi"}


def of(composition_id: str) -> dict[str, object]:
    return {"id": composition_id, "props": TITLE}


@pytest.mark.parametrize("output", [{"video": {}, "gif": {}}, {}, {"video": None}, {"gif": None, "still": {}}])
async def test_an_output_of_several_kinds_or_of_none_is_a_graphql_error(ann: Client, output: object) -> None:
    error = await ann.error(START, input={"composition": of("Promo"), "output": output})
    assert error["extensions"] == {"code": "BAD_USER_INPUT"}
    assert await ann.quota_used() == 0


OUTPUTS: list[tuple[str, dict[str, Any], dict[str, str]]] = [
    (
        "Promo",
        {"video": {"format": "PRORES", "crf": 0}},
        {"/output/video/crf": "ProRes has no option `crf`. Remove it."},
    ),
    ("Promo", {"video": {"format": "PRORES", "bitrateKbps": 0}}, {"/output/video/bitrateKbps": "ProRes has no option"}),
    ("Promo", {"video": {"transparent": True}}, {"/output/video/transparent": "H.264 has no option `transparent`."}),
    (
        "Promo",
        {"video": {"format": "VP9", "proResProfile": "HQ"}},
        {"/output/video/proResProfile": "VP9 has no option"},
    ),
    (
        "Promo",
        {"video": {"format": "PRORES", "transparent": True, "proResProfile": "HQ"}},
        {"/output/video/proResProfile": "Only the profiles P4444_XQ and P4444 can be transparent."},
    ),
    (
        "Promo",
        {"video": {"crf": 18, "bitrateKbps": 900}},
        {"/output/video/crf": "`crf` and `bitrateKbps` exclude each"},
    ),
    ("Promo", {"video": {"crf": 0}}, {"/output/video/crf": "H.264 accepts a `crf` from 1 to 51; lower is better."}),
    ("Promo", {"video": {"format": "VP8", "crf": 64}}, {"/output/video/crf": "VP8 accepts a `crf` from 4 to 63"}),
    (
        "Promo",
        {"video": {"bitrateKbps": 7}},
        {"/output/video/bitrateKbps": "Choose a bit rate from 8 to 500000 kbit/s."},
    ),
    (
        "Promo",
        {"audio": {"bitrateKbps": 513}},
        {"/output/audio/bitrateKbps": "Choose a bit rate from 8 to 512 kbit/s."},
    ),
    ("Promo", {"audio": {"format": "WAV", "bitrateKbps": 128}}, {"/output/audio/bitrateKbps": "WAV has no option"}),
    (
        "Promo",
        {"video": {"width": 639, "height": 361}},
        {
            "/output/video/width": "H.264 needs an even width; this one would be 639 pixels.",
            "/output/video/height": "H.264 needs an even height; this one would be 361 pixels.",
        },
    ),
    (
        "Promo",
        {"video": {"scale": 0.34}},
        {
            "/output/video/width": "H.264 needs an even width; this one would be 435",
            "/output/video/height": "H.264 needs an even height; this one would be 245",
        },
    ),
    (
        "Odd",
        {"video": {"format": "H265"}},
        {
            "/output/video/width": "H.265 needs an even width; this one would be 101 pixels.",
            "/output/video/height": "H.265 needs an even height; this one would be 99 pixels.",
        },
    ),
    ("Reel", {"video": {"width": 4001, "height": 4000}}, {"/output/video/width": "H.264 needs an even width"}),
    (
        "Promo",
        {"video": {"width": 0, "height": 8193}},
        {
            "/output/video/width": "Choose a width from 1 to 8192",
            "/output/video/height": "Choose a height from 1 to 8192",
        },
    ),
    (
        "Odd",
        {"gif": {"scale": 0.001}},
        {
            "/output/gif/width": "The width would be 0 pixels. It must be from 1 to 8192",
            "/output/gif/height": "The height would be 0 pixels.",
        },
    ),
    (
        "Promo",
        {"still": {"scale": 16}},
        {
            "/output/still/width": "The width would be 20480 pixels.",
            "/output/still/height": "The height would be 11520",
        },
    ),
    ("Promo", {"gif": {"scale": 0}}, {"/output/gif/scale": "Choose a scale above 0, at most 16."}),
    ("Promo", {"gif": {"scale": 16.1}}, {"/output/gif/scale": "Choose a scale above 0, at most 16."}),
    ("Promo", {"video": {"fps": 0}}, {"/output/video/fps": "Choose from 1 to 120 frames per second."}),
    ("Promo", {"video": {"fps": 121}}, {"/output/video/fps": "Choose from 1 to 120 frames per second."}),
    (
        "Promo",
        {"gif": {"everyNthFrame": 0, "loops": -1}},
        {
            "/output/gif/everyNthFrame": "Choose a whole number from 1 to 1000.",
            "/output/gif/loops": "Choose a whole number from 0 to 65535.",
        },
    ),
    ("Promo", {"still": {"frame": 90}}, {"/output/still/frame": "This frame does not exist. Choose one from 0 to 89"}),
    ("Promo", {"still": {"frame": -91}}, {"/output/still/frame": "This frame does not exist."}),
    (
        "Promo",
        {"still": {"format": "JPEG", "quality": 0}},
        {"/output/still/quality": "Choose a quality from 1 to 100."},
    ),
    ("Promo", {"still": {"format": "PNG", "quality": 0}}, {"/output/still/quality": "PNG has no option `quality`."}),
    ("Card", {"audio": {}}, {"/output/audio/format": "Card can't be rendered as MP3. Choose PNG, JPEG, WEBP, PDF."}),
    (
        "Card",
        {"video": {"crf": 99}},
        {"/output/video/format": "Card can't be rendered as H264.", "/output/video/crf": "H.264 accepts"},
    ),
    ("Film", {"gif": {}}, {"/composition/id": TOO_LONG}),
    ("Film", {"audio": {}}, {"/composition/id": TOO_LONG}),
    ("Wall", {"gif": {}}, {"/output/gif": TOO_LARGE}),
    ("Promo", {"video": {"width": 8000, "height": 8000}}, {"/output/video": TOO_LARGE}),
    ("Promo", {"video": {"fps": 120, "scale": 4}}, {"/output/video": TOO_LARGE}),
]


@pytest.mark.parametrize(("composition", "output", "expected"), OUTPUTS, ids=lambda value: str(value)[:60])
async def test_an_output_that_does_not_fit_is_reported_with_its_paths(
    ann: Client, composition: str, output: object, expected: dict[str, str]
) -> None:
    found = dict(await ann.problems(composition=of(composition), output=output))
    assert list(found) == list(expected)
    assert all(found[path].startswith(start) for path, start in expected.items()), found


@pytest.mark.parametrize("option", ["fps", "scale"])
async def test_an_infinite_number_in_the_document_is_reported_with_its_path(ann: Client, option: str) -> None:
    result = await ann.execute(
        f"""mutation {{
          startRender(input: {{animationProps: {{text: "Hi"}}, output: {{video: {{{option}: 1e999}}}}}}) {{
            ... on InvalidInput {{ problems {{ path }} }}
          }}
        }}"""
    )
    assert result == {"problems": [{"path": f"/output/video/{option}"}]}


@pytest.mark.parametrize(
    ("composition", "output"),
    [
        ("Card", {"still": {"frame": 0}}),
        ("Card", {"still": {"frame": -1, "format": "JPEG", "quality": 100}}),
        ("Odd", {"video": {"format": "VP9"}}),
        ("Odd", {"video": {"width": 102, "height": 98}}),
        ("Film", {"still": {"frame": 600}}),  # one frame is not too long
        ("Wall", {"still": {}}),
        ("Wall", {"gif": {"everyNthFrame": 2}}),
        ("Wall", {"audio": {}}),
        ("Reel", {"video": {}}),  # its size and length depend on the props: the renderer reports them
        ("Reel", {"still": {"frame": 2**31 - 1}}),
        ("Promo", {"video": {"crf": 51, "fps": 120, "scale": 2}}),
        ("Promo", {"video": {"format": "VP9", "crf": 0}}),
        ("Promo", {"gif": {"loops": 0, "everyNthFrame": 1000}}),
    ],
    ids=str,
)
async def test_an_output_at_the_limit_is_accepted(ann: Client, composition: str, output: dict[str, Any]) -> None:
    result = await ann.start_composition(composition, TITLE, output=output)
    assert result["__typename"] == "StartRenderSuccess", result


async def test_problems_of_an_animation_and_its_output_are_reported_together(ann: Client) -> None:
    found = await ann.problems(
        animationProps={"text": "", "durationInFrames": 601},
        output={"video": {"width": 641, "height": 4000, "scale": 2.5}},
        idempotencyKey="",
    )
    assert [(path, message.split(" It must")[0]) for path, message in found] == [
        ("/animationProps/text", "Write some text to animate."),
        ("/animationProps/durationInFrames", TOO_LONG),
        ("/idempotencyKey", "Use 1 to 200 characters without control characters, or omit it."),
        ("/output/video/height", "The height would be 10000 pixels."),
    ]
    assert [path for path, _ in await ann.problems(animationProps={"text": "Hi"}, output={"still": {"frame": 90}})] == [
        "/output/still/frame"
    ]
    assert await ann.problems(
        animationProps={"text": "Hi", "durationInFrames": 600}, output={"video": {"scale": 3.2}}
    ) == [("/output/video", TOO_LARGE)]
