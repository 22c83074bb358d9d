"""Where and why a value does not match a JSON Schema."""

import json
import logging

import pytest

from services.compositions.json_limits import MAX_PROBLEMS, MORE_PROBLEMS
from services.compositions.json_schema.schema import JsonSchema
from services.compositions.json_schema.sentences import NOT_ACCEPTED, SEVERAL_FORMS, TOO_SLOW

TEXT = {"type": "string"}
NUMBER = {"type": "number"}
NODE = {"$ref": "#/$defs/node"}
ZOD_EMAIL = r"^(?!\.)(?!.*\.\.)([A-Za-z0-9_'+\-\.]*)[A-Za-z0-9_+-]@([A-Za-z0-9][A-Za-z0-9\-]*\.)+[A-Za-z]{2,}$"


def found(schema: object, value: object) -> list[tuple[str, str]]:
    problems = JsonSchema(json.dumps(schema), owner="a test").problems(value, path="")
    return [(problem.path, problem.message) for problem in problems]


def tagged(**properties: object) -> dict[str, object]:
    return {"type": "object", "properties": properties, "required": list(properties)}


@pytest.mark.parametrize(
    ("schema", "value", "message"),
    [
        ({"type": "string"}, 1, "Give a text."),
        ({"type": "number"}, "1", "Give a number."),
        ({"type": "integer"}, 1.5, "Give a whole number."),
        ({"type": "boolean"}, 1, "Give true or false."),
        ({"type": "array"}, {}, "Give a list."),
        ({"type": "object"}, [], "Give an object."),
        ({"type": "null"}, 0, "Give null."),
        ({"type": ["string", "null"]}, 1, "Give a text or null."),
        ({"type": ["null", "number", "string"]}, [], "Give a number, a text or null."),
        ({"enum": ["left", "center", "right"]}, "top", "Choose one of left, center, right."),
        ({"type": "string", "enum": ["a"]}, 1, "Use a."),
        ({"enum": ["two words", "", 1, 2.0, True, [1]]}, "x", 'Choose one of "two words", "", 1, 2, true, [1].'),
        ({"enum": list(range(25))}, -1, f"Choose one of {', '.join(map(str, range(20)))} and 5 more."),
        ({"const": "x" * 100}, 1, f"Use {'x' * 60}…."),
        ({"minLength": 1}, "", "This text must not be empty."),
        ({"minLength": 2}, "x", "Use at least 2 characters."),
        ({"maxLength": 1}, "xx", "Use at most 1 character."),
        ({"minimum": 0}, -1, "Use 0 or more."),
        ({"maximum": 1.5}, 2, "Use 1.5 or less."),
        ({"exclusiveMinimum": 0}, 0, "Use more than 0."),
        ({"exclusiveMaximum": 10}, 10, "Use less than 10."),
        ({"multipleOf": 0.25}, 0.3, "Use a multiple of 0.25."),
        ({"minItems": 1}, [], "Give at least 1 item."),
        ({"maxItems": 2}, [1, 2, 3], "Give at most 2 items."),
        ({"uniqueItems": True}, [1, 1.0], "Give each item only once."),
        ({"minProperties": 1}, {}, "Give at least 1 key."),
        ({"maxProperties": 1}, {"a": 1, "b": 1}, "Give at most 1 key."),
        ({"pattern": "^#[0-9a-f]{6}$"}, "red", "This text must match the pattern ^#[0-9a-f]{6}$"),
        ({"format": "uri"}, "a.png", "Give a complete URL, such as https://example.com/image.png."),
        ({"format": "email"}, "ann", "Give an email address, such as ann@example.com."),
        ({"format": "email", "pattern": ZOD_EMAIL}, "ann", "Give an email address, such as ann@example.com."),
        ({"format": "date-time"}, "today", "Give a date and time with its time zone, such as 2026-01-31T12:00:00Z."),
        ({"format": "date"}, "2026-02-30", "Give a date, such as 2026-01-31."),
        ({"format": "time"}, "25:00:00Z", "Give a time, such as 12:00:00Z."),
        ({"format": "duration"}, "1 s", "Give a duration in ISO 8601 format, such as PT1M30S."),
        ({"format": "uuid"}, "1", "Give a UUID, such as 123e4567-e89b-12d3-a456-426614174000."),
        ({"format": "ipv4"}, "1.2.3", "Give an IPv4 address, such as 192.0.2.1."),
        ({"format": "json-pointer"}, "a", "Give a value of the format json-pointer."),
        ({"not": TEXT}, "x", NOT_ACCEPTED),
        ({"contains": TEXT}, [1], NOT_ACCEPTED),
        ({"if": TEXT, "then": False}, "x", NOT_ACCEPTED),
        ({"oneOf": [TEXT, {"maxLength": 3}]}, "x", SEVERAL_FORMS),
        ({"properties": {"a": True}, "unevaluatedProperties": False}, {"b": 1}, NOT_ACCEPTED),
    ],
)  # fmt: skip
def test_the_sentence_of_each_keyword(schema: dict[str, object], value: object, message: str) -> None:
    assert found(schema, value) == [("", message)]
    assert found({"items": {"properties": {"a": schema}}}, [{"a": value}]) == [("/0/a", message)]
    assert found({"allOf": [{}, {"$ref": "#/$defs/x"}], "$defs": {"x": schema}}, value) == [("", message)]


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        ({"required": ["a/b", "c"]}, {}, [("/a~1b", "a/b is missing."), ("/c", "c is missing.")]),
        ({"dependentRequired": {"a": ["b"]}}, {"a": 1}, [("/b", "b is missing.")]),
        (
            {"properties": {"a": {}, "b": {}}, "additionalProperties": False},
            {"x~": 1, "a": 1},
            [("/x~0", "Remove this key; the known keys are a, b.")],
        ),
        ({"additionalProperties": False}, {"x": 1}, [("/x", "Remove this key; no key is accepted.")]),
        ({"properties": {"x": False}}, {"x": 1}, [("/x", "Remove this value.")]),
        ({"additionalProperties": NUMBER}, {"a": 1, "b": "x"}, [("/b", "Give a number.")]),
        (
            {"propertyNames": {"enum": ["a", "b"]}, "additionalProperties": NUMBER},
            {"c": 1, "a": "x"},
            [("/c", "Rename this key. Choose one of a, b."), ("/a", "Give a number.")],
        ),
        (
            {"patternProperties": {"^a": NUMBER}, "additionalProperties": TEXT},
            {"a1": "x", "b": 1, "c": "x"},
            [("/a1", "Give a number."), ("/b", "Give a text.")],
        ),
        (
            {"prefixItems": [TEXT, NUMBER], "items": False},
            [1, "x", 3],
            [("/0", "Give a text."), ("/1", "Give a number."), ("/2", "Remove this value.")],
        ),
        ({"prefixItems": [TEXT], "items": NUMBER}, ["x", 1, "x"], [("/2", "Give a number.")]),
        ({"allOf": [tagged(a=TEXT), tagged(b=TEXT)]}, {"a": 1}, [("/a", "Give a text."), ("/b", "b is missing.")]),
        (
            {"if": {"required": ["a"]}, "then": tagged(b=TEXT), "else": tagged(c=TEXT)},
            {"a": 1, "b": 1},
            [("/b", "Give a text.")],
        ),
        ({"dependentSchemas": {"a": tagged(b=TEXT)}}, {"a": 1}, [("/b", "b is missing.")]),
        ({"items": {"$ref": "#"}, "type": "array"}, [[], [3]], [("/1/0", "Give a list.")]),
        (
            {"$defs": {"a~/ b": NUMBER}, "items": {"$ref": "#/$defs/a~0~1%20b"}},
            ["x"],
            [("/0", "Give a number.")],
        ),
        (
            {"$defs": {"n": {"$anchor": "n", "type": "number"}}, "items": {"$ref": "#n"}},
            ["x"],
            [("/0", NOT_ACCEPTED)],
        ),
        ({"properties": {"anyOf": TEXT, "items": NUMBER}}, {"anyOf": 1, "items": 1}, [("/anyOf", "Give a text.")]),
    ],
)  # fmt: skip
def test_the_path_of_each_problem(schema: dict[str, object], value: object, expected: list[tuple[str, str]]) -> None:
    assert found(schema, value) == expected


UNION = {
    "anyOf": [
        tagged(kind={"const": "image"}, src={**TEXT, "format": "uri"}),
        tagged(kind={"enum": ["text", "heading"]}, text=TEXT),
        tagged(kind={"const": "box"}, size={"anyOf": [NUMBER, tagged(width=NUMBER)]}),
        {"type": "null"},
    ]
}


@pytest.mark.parametrize("keyword", ["anyOf", "oneOf"])
@pytest.mark.parametrize(
    ("branches", "value", "expected"),
    [
        (UNION["anyOf"], {"kind": "text"}, ("/text", "text is missing.")),
        (UNION["anyOf"], {"kind": "heading", "text": 1}, ("/text", "Give a text.")),
        (UNION["anyOf"], {"kind": "circle"}, ("/kind", "Choose one of image, text, heading, box.")),
        (UNION["anyOf"], {}, ("/kind", "kind is missing. Choose one of image, text, heading, box.")),
        (UNION["anyOf"], 3, ("", "Give an object or null.")),
        (UNION["anyOf"], {"kind": "box", "size": "x"}, ("/size", "Give a number or an object.")),
        (UNION["anyOf"], {"kind": "box", "size": {"width": "x"}}, ("/size/width", "Give a number.")),
        ([UNION, NUMBER], {"kind": "box", "size": {}}, ("/size/width", "width is missing.")),
        ([TEXT, NUMBER], None, ("", "Give a text or a number.")),
        ([{"type": "integer", "minimum": 3}, {"type": "null"}], 1, ("", "Use 3 or more.")),
        ([{"const": "a"}, {"enum": ["b", "c"]}, {"type": "null"}], "x", ("", "Choose one of a, b, c.")),
        ([{"const": "a"}, {"const": True}], 1, ("", "Give a text or true or false.")),
        ([{"const": "auto"}, {**TEXT, "pattern": "^\\d+px$"}], "3", ("", "This text must match the pattern ^\\d+px$")),
        ([tagged(a=NUMBER, b=NUMBER), tagged(c=NUMBER, d=NUMBER)], {"c": 1}, ("/d", "d is missing.")),
        ([tagged(a=NUMBER), tagged(a=TEXT, b=TEXT)], {"a": "x"}, ("/a", "Give a number.")),
        ([{"type": "array", "items": TEXT}, TEXT], ["x", 1], ("/1", "Give a text.")),
        ([{"$ref": "#/$defs/t"}, NUMBER], [], ("", "Give a text or a number.")),
        ([tagged(v={"const": 1}, x=TEXT), tagged(v={"const": True}, y=TEXT)], {"v": True}, ("/y", "y is missing.")),
        ([tagged(a={"$ref": "#/$defs/a"}), tagged(a={"const": "b"}, x=TEXT)], {"a": "b"}, ("/x", "x is missing.")),
    ],
)  # fmt: skip
def test_the_branch_of_a_union_that_fits_best_is_shown(
    keyword: str, branches: object, value: object, expected: tuple[str, str]
) -> None:
    definitions = {"t": TEXT, "a": {"const": "a"}}
    assert found({keyword: branches, "$defs": definitions}, value) == [expected]


def test_a_list_of_wrong_items_ends_with_the_sentence_that_there_are_more() -> None:
    result = found({"items": TEXT}, [1] * 100_000)
    assert result == [*((f"/{number}", "Give a text.") for number in range(MAX_PROBLEMS)), ("", MORE_PROBLEMS)]
    assert len(found({"items": TEXT}, [1] * MAX_PROBLEMS)) == MAX_PROBLEMS


def test_many_unknown_keys_are_reported_up_to_the_limit() -> None:
    result = found({"additionalProperties": False}, {f"k{number}": 1 for number in range(20_000)})
    assert len(result) == MAX_PROBLEMS + 1
    assert result[-1] == ("", MORE_PROBLEMS)


def test_recursive_unions_do_not_multiply_the_work() -> None:
    """Each level has two branches that contain the next one: 2^90 combinations."""
    children = {"type": "array", "items": NODE}
    branches = [{"type": "object", "properties": {name: TEXT, "children": children}} for name in ("href", "bold")]
    value: object = 3
    for _ in range(45):
        value = {"children": [value]}
    schema = {"$defs": {"node": {"anyOf": branches}}, "properties": {"root": NODE}}
    assert found(schema, {"root": value}) == [("/root" + "/children/0" * 45, "Give an object.")]


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
        {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]},
        {"allOf": [{"$ref": "#"}], "properties": {"a": {"$ref": "#"}}},
    ],
)
@pytest.mark.parametrize("constraint", [{}, {"type": "string"}])
def test_a_schema_that_refers_to_itself_ends(schema: dict[str, object], constraint: dict[str, object]) -> None:
    result = found({**schema, **constraint}, {"a": {"a": {}}})
    assert bool(constraint) <= bool(result)


@pytest.mark.parametrize("pattern", ["(a+)+$", "^(a|a)*$", "^(([a-z])+.)+[A-Z]([a-z])+$"])
def test_patterns_that_stall_backtracking_engines_take_linear_time(pattern: str) -> None:
    text = "a" * 100_000
    assert found({"pattern": pattern}, text + "!" * 3) == [("", f"This text must match the pattern {pattern}")]
    matching = {"(a+)+$": text, "^(a|a)*$": text, "^(([a-z])+.)+[A-Z]([a-z])+$": "ab" * 10_000 + "Ab"}
    assert found({"pattern": pattern}, matching[pattern]) == []


def test_look_around_is_enforced() -> None:
    schema = {"items": {"pattern": ZOD_EMAIL}}
    assert [path for path, _ in found(schema, ["ann@example.com", ".ann@example.com", "a..b@example.com"])] == [
        "/1",
        "/2",
    ]
    assert found(schema, [f"{'a' * 64}@{'a.' * 90}com"]) == []


@pytest.mark.parametrize("pattern", [r"^(a|a)*\1b$", r"^(?=((a|aa)+)\1$)a"])
def test_a_text_that_takes_too_many_steps_is_rejected(pattern: str) -> None:
    assert found({"items": {"pattern": pattern}}, ["a" * 31 + "!"] * 8_000)[0] == ("/0", TOO_SLOW)


@pytest.mark.parametrize("pattern", ["^(a", "(a{1000}){1000}", "[z-a]", "(?<name"])
def test_a_pattern_that_cannot_be_compiled_is_logged_once_and_not_enforced(
    caplog: pytest.LogCaptureFixture, pattern: str
) -> None:
    node = {"pattern": pattern, "type": "string"}
    schema = JsonSchema(json.dumps({"anyOf": [{"items": node}, {"const": {"pattern": pattern}}]}), owner="a test")
    for _ in range(3):
        assert schema.problems(["b"], path="") == []
    assert [problem.message for problem in schema.problems([1], path="")] == ["Give a text."]
    [record] = caplog.records
    assert (record.levelno, "the schema of a test" in record.message) == (logging.WARNING, True)


def test_keys_of_a_pattern_that_cannot_be_compiled_are_not_rejected() -> None:
    schema = {"properties": {"a": TEXT}, "patternProperties": {"^(x": TEXT, "^y": TEXT}, "additionalProperties": False}
    assert found(schema, {"a": 1, "x": 1, "y": 1}) == [("/a", "Give a text."), ("/y", "Give a text.")]
