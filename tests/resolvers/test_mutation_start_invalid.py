"""startRender over HTTP: input that is refused with all problems and their paths, and has no effect."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from services.media import OutputFormat
from services.runtime.adapters import open_embedded
from services.settings import load_settings
from tests.support.api_client import PROPS, START, Client, open_client
from tests.support.api_server import rewired, serve
from tests.support.api_site import USERS
from tests.support.fake_backend import FakeBackend

pytestmark = pytest.mark.asyncio(loop_scope="module")

TOO_LONG = "Animation too long. Maximum duration is 20 seconds."
TOO_LARGE = "Width times height times frames exceeds 5,000,000,000. Choose a smaller size or fewer frames."
TITLE: dict[str, Any] = {"title": "Hi"}


def of(composition_id: str, props: object = TITLE) -> dict[str, object]:
    return {"id": composition_id, "props": props}


async def paths(client: Client, **given: object) -> list[str]:
    return [path for path, _ in await client.problems(**given)]


@pytest.mark.parametrize(
    ("props", "expected"),
    [
        ({}, ["/composition/props/title"]),
        ({"title": 7}, ["/composition/props/title"]),
        ({"title": ""}, ["/composition/props/title"]),
        ({"title": "x" * 21}, ["/composition/props/title"]),
        ({"title": None}, ["/composition/props/title"]),
        ({"title": "Hi", "size": 6}, ["/composition/props/size"]),
        ({"title": "Hi", "size": 1.5}, ["/composition/props/size"]),
        ({"title": "Hi", "color": "red"}, ["/composition/props/color"]),
        (
            {"title": "Hi", "scenes": [{}] * 4},
            ["/composition/props/scenes", *[f"/composition/props/scenes/{n}/title" for n in range(4)]],
        ),
        (
            {"title": "Hi", "scenes": [{"title": "a"}, {"title": "b", "seconds": 0}]},
            ["/composition/props/scenes/1/seconds"],
        ),
        ([], ["/composition/props"]),
        ("title", ["/composition/props"]),
        (7, ["/composition/props"]),
        (True, ["/composition/props"]),
    ],
    ids=lambda value: json.dumps(value)[:40],
)
async def test_props_that_the_schema_does_not_accept_are_reported_with_their_paths(
    ann: Client, props: object, expected: list[str]
) -> None:
    found = await paths(ann, composition=of("Promo", props))
    assert sorted(set(found)) == sorted(expected)


@pytest.mark.parametrize("composition", ["Promo", "Odd"])
@pytest.mark.parametrize(
    "props",
    [
        {"title": "x" * 300_000},
        {"title": "Hi", "scenes": [{"title": "x"}] * 20_000},
        {"title": [[]] * 100_000},
        {"k" * 300_000: ""},
    ],
    ids=lambda value: json.dumps(value)[:24],
)
async def test_props_of_300_kb_are_too_large(ann: Client, composition: str, props: object) -> None:
    ((path, message),) = await ann.problems(composition=of(composition, props), output={"gif": {}})
    assert (path, message.split(" as JSON")[0]) == ("/composition/props", "This is larger than 262,144 bytes")


async def test_a_body_of_10_mb_is_refused_before_it_is_read(ann: Client) -> None:
    body = json.dumps(
        {"query": START, "variables": {"input": {"composition": of("Promo", {"title": "x" * 10_000_000})}}}
    )
    headers = {"Content-Type": "application/json", "X-User": str(ann.user)}
    response = await ann.http.post("/graphql", content=body, headers=headers)
    assert response.status_code == 413
    assert await ann.list_renders() == []


@pytest.mark.parametrize("composition", ["Promo", "Odd"])
@pytest.mark.parametrize("kind", ["list", "object"])
async def test_props_nested_deeper_than_100_are_refused(ann: Client, kind: str, composition: str) -> None:
    props: object = {}
    for _ in range(300):
        props = [props] if kind == "list" else {"a": props}
    found = await ann.problems(composition=of(composition, {"title": props}), output={"gif": {}})
    assert found == [("/composition/props", "Nest lists and objects at most 100 deep.")]


async def test_json_nested_10_000_deep_is_refused_by_the_transport(ann: Client) -> None:
    text = '{"query": "{ __typename }", "variables": {"input": ' + "[" * 10_000 + "]" * 10_000 + "}}"
    headers = {"Content-Type": "application/json", "X-User": str(ann.user)}
    response = await ann.http.post("/graphql", content=text, headers=headers)
    assert response.status_code == 400
    assert response.json()["errors"][0]["message"] == "The JSON is nested too deeply."


@pytest.mark.parametrize(
    "twice", ['{"title": "Hi", "title": "Ho"}', '{"title": "Hi", "scenes": [{"a": 1, "\\u0061": 1}]}']
)
async def test_a_key_that_is_repeated_is_refused_by_the_transport(ann: Client, twice: str) -> None:
    given = json.dumps({"query": START, "variables": {"input": {"composition": of("Promo", "PROPS")}}})
    headers = {"Content-Type": "application/json", "X-User": str(ann.user)}
    response = await ann.http.post("/graphql", content=given.replace('"PROPS"', twice), headers=headers)
    assert response.status_code == 400
    assert response.json()["errors"][0]["message"].startswith("An object in the JSON has the same key twice.")
    assert await ann.list_renders() == []


async def test_a_key_that_is_repeated_in_a_literal_is_a_graphql_error(ann: Client) -> None:
    error = await ann.error(
        'mutation { startRender(input: {composition: {id: "Odd", props: {a: 1, a: 2}}}) { __typename } }'
    )
    assert error["message"] == "There can be only one input field named 'a'."


@pytest.mark.parametrize(
    "value", ["a\ud800", "\udc00\ud800", {"\ud800": 1}, 2**53, -(2**63), 10**30, float("inf")], ids=repr
)
async def test_values_that_javascript_can_not_read_are_refused(ann: Client, value: object) -> None:
    (path,) = await paths(ann, composition=of("Odd", {"a": [value]}), output={"gif": {}})
    assert path == "/composition/props/a/0"


async def test_nan_is_not_json(ann: Client) -> None:
    body = json.dumps({"query": START, "variables": {"input": {"composition": of("Odd", {"a": float("nan")})}}})
    headers = {"Content-Type": "application/json", "X-User": str(ann.user)}
    assert (await ann.http.post("/graphql", content=body, headers=headers)).status_code == 400


async def test_exactly_one_of_animation_and_composition_is_required(ann: Client) -> None:
    either = ("", "Give either `animationProps` or `composition`.")
    assert await ann.problems() == [either]
    assert await ann.problems(animationProps=None, composition=None) == [either]
    assert await ann.problems(animationProps=PROPS, composition=of("Promo")) == [either]
    assert await paths(ann, generationId="", idempotencyKey="x" * 201) == ["", "/generationId", "/idempotencyKey"]


@pytest.mark.parametrize("output", [{"video": {}, "gif": {}}, {}, {"video": None}, {"gif": None, "still": {}}])
async def test_an_output_of_several_kinds_or_of_none_is_a_graphql_error(ann: Client, output: object) -> None:
    error = await ann.error(START, input={"composition": of("Promo"), "output": output})
    assert error["extensions"] == {"code": "BAD_USER_INPUT"}
    assert await ann.quota_used() == 0


async def test_an_unknown_composition_is_reported_with_the_known_ones(ann: Client) -> None:
    assert await ann.problems(composition=of("promo")) == [
        (
            "/composition/id",
            "There is no such composition. Choose TextAnimation, Promo, Card, Odd, Film, Wall, Reel.",
        )
    ]
    found = await paths(
        ann,
        composition=of("", {"a": "\ud800"}),
        output={"video": {"format": "PRORES", "crf": 1}},
        generationId="",
    )
    assert found == ["/generationId", "/composition/id", "/composition/props/a", "/output/video/crf"]


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
            "/output/gif/width": "The width would be 0 pixels. It must be from 1 to 8192.",
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


async def test_problems_of_props_output_and_keys_are_reported_together(ann: Client) -> None:
    found = await paths(
        ann,
        composition=of("Promo", {"title": "", "size": 9}),
        output={"video": {"crf": 99, "width": 641}},
        generationId="\x00",
        idempotencyKey="",
    )
    assert found == [
        "/generationId",
        "/idempotencyKey",
        "/composition/props/title",
        "/composition/props/size",
        "/output/video/crf",
    ]
    assert await paths(ann, composition=of("Promo", {}), output={"video": {"width": 641}}) == [
        "/composition/props/title",
        "/output/video/width",
    ]


async def test_problems_of_an_animation_and_its_output_are_reported_together(ann: Client) -> None:
    found = await ann.problems(
        animationProps={"text": "", "durationInFrames": 601},
        output={"video": {"width": 641, "height": 4000, "scale": 2.5}},
        idempotencyKey="",
    )
    assert found == [
        ("/animationProps/text", "Write some text to animate."),
        ("/animationProps/durationInFrames", TOO_LONG),
        ("/idempotencyKey", "Use 1 to 200 characters without control characters, or omit it."),
        ("/output/video/height", "The height would be 10000 pixels. It must be from 1 to 8192."),
    ]
    assert await paths(ann, animationProps={"text": "Hi"}, output={"still": {"frame": 90}}) == ["/output/still/frame"]
    assert await ann.problems(
        animationProps={"text": "Hi", "durationInFrames": 600}, output={"video": {"scale": 3.2}}
    ) == [("/output/video", TOO_LARGE)]


@asynccontextmanager
async def other_server(folder: Path, **backend: Any) -> AsyncIterator[Client]:
    """Serve with a backend whose compositions are not known, and yield a client."""
    faked = FakeBackend(capacity=0, unavailable=True, **backend)
    async with (
        open_embedded(load_settings(data_dir=folder)) as services,
        serve(rewired(services, backend=faked)) as url,
        open_client(url, user=next(USERS)) as client,
    ):
        yield client


async def test_before_the_compositions_are_known_only_animations_can_be_started(tmp_path: Path) -> None:
    async with other_server(tmp_path) as client:
        assert await client.execute("{ compositions { id } }") == []
        assert await client.problems(composition=of("Promo")) == [
            ("/composition/id", "The compositions have not been read yet. Try again in a minute.")
        ]
        await client.start_render()


async def test_a_format_that_the_backend_can_not_make_is_refused(tmp_path: Path) -> None:
    async with other_server(tmp_path, formats=frozenset(OutputFormat) - {OutputFormat.PDF}) as client:
        ((path, message),) = await client.problems(animationProps=PROPS, output={"still": {"format": "PDF"}})
        assert path == "/output/still/format"
        assert message.startswith("TextAnimation can't be rendered as PDF. Choose H264, H265, ")
