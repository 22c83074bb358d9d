"""startRender over HTTP: input that is rejected with all problems and their paths, and has no effect."""

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


async def test_a_body_of_10_mb_is_rejected_before_it_is_read(ann: Client) -> None:
    body = json.dumps(
        {"query": START, "variables": {"input": {"composition": of("Promo", {"title": "x" * 10_000_000})}}}
    )
    headers = {"Content-Type": "application/json", "X-User": str(ann.user)}
    response = await ann.http.post("/graphql", content=body, headers=headers)
    assert response.status_code == 413
    assert await ann.list_renders() == []


@pytest.mark.parametrize("composition", ["Promo", "Odd"])
@pytest.mark.parametrize("kind", ["list", "object"])
async def test_props_nested_deeper_than_100_are_rejected(ann: Client, kind: str, composition: str) -> None:
    props: object = {}
    for _ in range(300):
        props = [props] if kind == "list" else {"a": props}
    found = await ann.problems(composition=of(composition, {"title": props}), output={"gif": {}})
    assert found == [("/composition/props", "Nest lists and objects at most 100 deep.")]


async def test_json_nested_10_000_deep_is_rejected_by_the_transport(ann: Client) -> None:
    text = '{"query": "{ __typename }", "variables": {"input": ' + "[" * 10_000 + "]" * 10_000 + "}}"
    headers = {"Content-Type": "application/json", "X-User": str(ann.user)}
    response = await ann.http.post("/graphql", content=text, headers=headers)
    assert response.status_code == 400
    assert response.json()["errors"][0]["message"] == "The JSON is nested too deeply."


@pytest.mark.parametrize(
    "twice", ['{"title": "Hi", "title": "Ho"}', '{"title": "Hi", "scenes": [{"a": 1, "\\u0061": 1}]}']
)
async def test_a_key_that_is_repeated_is_rejected_by_the_transport(ann: Client, twice: str) -> None:
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
async def test_values_that_javascript_can_not_read_are_rejected(ann: Client, value: object) -> None:
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


async def test_before_the_compositions_are_known_only_animations_can_be_started(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with other_server(tmp_path) as client:
        assert await client.execute("{ compositions { id } }") == []
        error = await client.error(START, input={"composition": of("Promo")})
        assert error["extensions"] == {"code": "SERVICE_UNAVAILABLE"}
        assert "the compositions have not been discovered yet" in caplog.text
        assert await paths(client, composition=of("Promo", []), output={"video": {"crf": 99}}) == ["/output/video/crf"]
        await client.start_render()


async def test_a_format_that_the_backend_can_not_make_is_rejected(tmp_path: Path) -> None:
    async with other_server(tmp_path, formats=frozenset(OutputFormat) - {OutputFormat.PDF}) as client:
        ((path, message),) = await client.problems(animationProps=PROPS, output={"still": {"format": "PDF"}})
        assert path == "/output/still/format"
        assert message.startswith("TextAnimation can't be rendered as PDF. Choose H264, H265, ")
