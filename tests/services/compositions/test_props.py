"""Validation of a composition's props."""

import json
import logging
import socket
from pathlib import Path

import pytest

from services.compositions.props import PropsValidator
from services.compositions.remotion import read_compositions
from services.media import OutputFormat
from services.models import Composition, CompositionKind

SITE = json.loads(Path("tests/data/remotion-compositions.json").read_text(encoding="utf-8"))
BACKGROUND = {"type": "image", "src": "https://example.com/a.png"}


def composition(schema: object, **default_props: object) -> Composition:
    return Composition(
        id="Promo",
        kind=CompositionKind.VIDEO,
        width=1280,
        height=720,
        fps=30,
        duration_in_frames=30,
        default_props=json.dumps(default_props),
        props_schema=None if schema is None else json.dumps(schema),
    )


def problems(validator: PropsValidator, props: object) -> dict[str, str]:
    return {problem.path: problem.message for problem in validator.problems(props, path="/p")}


@pytest.fixture(scope="module")
def promo() -> PropsValidator:
    """Props of a zod schema: text, colour, list of objects, enumeration with a default, and a union."""
    found = read_compositions(SITE["with_helper"], formats=frozenset(OutputFormat))
    return PropsValidator(next(each for each in found if each.id == "Promo"))


@pytest.mark.parametrize(
    "props", [{}, {"title": "Hi"}, {"layout": "right", "bg": BACKGROUND}, {"accent": "rgb(0 0 0)", "unknown": 1}]
)
def test_valid_props_of_a_zod_schema(promo: PropsValidator, props: object) -> None:
    assert problems(promo, props) == {}


@pytest.mark.parametrize(
    ("props", "expected"),
    [
        ({"title": ""}, {"/p/title": "This text must not be empty."}),
        ({"title": "x" * 61, "accent": 1}, {"/p/title": "Use at most 60 characters.", "/p/accent": "Give a text."}),
        ({"layout": "top"}, {"/p/layout": "Choose one of left, center, right."}),
        ({"layout": None}, {"/p/layout": "Choose one of left, center, right."}),
        ({"scenes": []}, {"/p/scenes": "Give at least 1 item."}),
        ({"scenes": [{"text": "x", "seconds": 1}] * 11}, {"/p/scenes": "Give at most 10 items."}),
        (
            {"scenes": [{"text": "x", "seconds": 0}, {"text": 1}, "x"]},
            {
                "/p/scenes/0/seconds": "Use more than 0.",
                "/p/scenes/1/seconds": "seconds is missing.",
                "/p/scenes/1/text": "Give a text.",
                "/p/scenes/2": "Give an object.",
            },
        ),
        ({"bg": {"type": "video"}}, {"/p/bg/type": "Choose one of color, image."}),
        ({"bg": {}}, {"/p/bg/type": "type is missing. Choose one of color, image."}),
        ({"bg": {"type": "image"}}, {"/p/bg/src": "src is missing."}),
        (
            {"bg": {"type": "image", "src": "a.png"}},
            {"/p/bg/src": "Give a complete URL, such as https://example.com/image.png."},
        ),
        ({"bg": 3}, {"/p/bg": "Give an object."}),
    ],
)
def test_problems_of_a_zod_schema(promo: PropsValidator, props: object, expected: dict[str, str]) -> None:
    assert problems(promo, props) == expected


def test_the_paths_start_at_the_props_of_a_start() -> None:
    validator = PropsValidator(composition({"properties": {"a/b": {"type": "string"}}}))
    assert [problem.path for problem in validator.problems({"a/b": 1})] == ["/composition/props/a~1b"]


@pytest.mark.parametrize("props", [None, 3, "x", [], [{"title": "x"}], True])
def test_props_that_are_no_object_are_a_problem(props: object) -> None:
    message = "Give an object with the props of the composition."
    assert problems(PropsValidator(composition(None)), props) == {"/p": message}
    assert problems(PropsValidator(composition({})), props) == {"/p": message}


def test_a_composition_without_schema_accepts_any_object() -> None:
    validator = PropsValidator(composition(None, a=1))
    assert problems(validator, {"a": "x", "b": [{}]}) == {}


def test_props_are_merged_over_the_defaults_one_level_deep() -> None:
    nested = {"type": "object", "required": ["x", "y"]}
    schema = {"required": ["a", "b"], "properties": {"a": nested, "b": {"type": "integer"}}}
    validator = PropsValidator(composition(schema, a={"x": 1, "y": 1}, b=1))
    assert problems(validator, {}) == {}
    assert problems(validator, {"a": {"x": 2}}) == {"/p/a/y": "y is missing."}
    assert problems(validator, {"b": None}) == {"/p/b": "Give a whole number."}


def test_a_default_of_the_schema_is_not_applied() -> None:
    schema = {"required": ["a"], "properties": {"a": {"default": 1}}}
    assert problems(PropsValidator(composition(schema)), {}) == {"/p/a": "a is missing."}


def test_invalid_defaults_are_reported_where_they_are_used() -> None:
    validator = PropsValidator(composition({"properties": {"a": {"type": "string"}}}, a=1))
    assert problems(validator, {}) == {"/p/a": "Give a text."}
    assert problems(validator, {"a": "x"}) == {}


NEXT = {"$ref": "#/$defs/NEXT"}


def chained(number: int, schema: object) -> dict[str, object]:
    """Return a schema with so many definitions, in each of which the reference `NEXT` refers to the next one."""
    text = json.dumps(schema)
    definitions = {str(each): json.loads(text.replace("NEXT", str(each + 1))) for each in range(number)}
    return {"$ref": "#/$defs/0", "$defs": {**definitions, str(number): {"type": "integer"}}}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "strin"},
        {"minLength": -1},
        {"properties": []},
        {"$ref": "#/$defs/unknown"},
        {"$ref": "file:///etc/passwd"},
        {"required": "a"},
        chained(25, {"anyOf": [NEXT, NEXT]}),  # 2 ** 25 schemas
        chained(25, {"properties": {"a": {"anyOf": [NEXT, NEXT]}}}),
        chained(25, {"items": NEXT, "not": NEXT}),
        chained(200, NEXT),
        {"allOf": [{"$ref": f"#/$defs/{number}"} for number in range(200, 0, -1)], **chained(200, NEXT)},
        True,
        [],
        "string",
    ],
)
def test_an_invalid_schema_is_logged_once_and_not_enforced(caplog: pytest.LogCaptureFixture, schema: object) -> None:
    validator = PropsValidator(composition(schema))
    for _ in range(3):
        assert problems(validator, {"a": 1}) == {}
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert "the schema of the composition Promo can't be used" in record.message


@pytest.mark.parametrize(
    "reference",
    [
        {"$ref": "URL/schema.json"},
        {"properties": {"a": {"$ref": "URL/schema.json#/$defs/a"}}},
        {"$dynamicRef": "URL/schema.json"},
        {"$id": "URL/root.json", "$ref": "other.json"},
    ],
)
def test_a_reference_to_another_document_is_not_fetched(
    caplog: pytest.LogCaptureFixture, reference: dict[str, object]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        validator = PropsValidator(composition(json.loads(json.dumps(reference).replace("URL", url))))
        assert problems(validator, {"a": 1}) == {}
        with pytest.raises(BlockingIOError):
            server.accept()
    assert "can't be used" in caplog.text


def test_another_draft_named_by_the_schema_is_neither_fetched_nor_used() -> None:
    schema = {"$schema": "http://127.0.0.1:9/meta", "properties": {"a": {"type": "string"}}}
    assert problems(PropsValidator(composition(schema)), {"a": 1}) == {"/p/a": "Give a text."}


def test_a_schema_may_use_its_definitions_often_and_recursively() -> None:
    tree = {"properties": {name: {"anyOf": [{"$ref": "#/$defs/tree"}, {"type": "integer"}]} for name in "abcdefgh"}}
    shared = {"properties": {f"color{number}": {"$ref": "#/$defs/color"} for number in range(1_000)}}
    schema = {"allOf": [{"$ref": "#/$defs/tree"}, shared], "$defs": {"tree": tree, "color": {"enum": ["red"]}}}
    validator = PropsValidator(composition(schema))
    assert problems(validator, {"a": {"b": {"c": 1}}, "color999": "red"}) == {}
    assert set(problems(validator, {"color999": "blue"})) == {"/p/color999"}


def test_a_schema_that_is_too_deep_is_not_enforced(caplog: pytest.LogCaptureFixture) -> None:
    text = '{"properties":{"a":' * 5_000 + '{"type":"string"}' + "}}" * 5_000
    for depth_text in (text, json.dumps({"not": json.loads('{"not":' * 150 + "{}" + "}" * 150)})):
        schema = Composition(**{**_fields(), "props_schema": depth_text})  # type: ignore[arg-type]
        assert problems(PropsValidator(schema), {"a": 1}) == {}
    assert caplog.text.count("can't be used") == 2


def test_a_schema_that_is_too_large_is_not_enforced(caplog: pytest.LogCaptureFixture) -> None:
    schema = {"properties": {f"p{number}": {"type": "string"} for number in range(20_000)}}
    assert problems(PropsValidator(composition(schema)), {"p1": 1}) == {}
    assert "can't be used" in caplog.text


def test_a_large_schema_is_enforced() -> None:
    schema = {"properties": {f"p{number}": {"type": "string"} for number in range(8_000)}}
    assert problems(PropsValidator(composition(schema)), {"p7999": 1}) == {"/p/p7999": "Give a text."}


def _fields() -> dict[str, object]:
    example = composition(None)
    return {name: getattr(example, name) for name in example.__struct_fields__}
