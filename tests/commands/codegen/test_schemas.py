"""The definitions that the types are generated from."""

from typing import Any

import pytest

from commands.codegen.schemas import Source, combine, root_schema

Json = dict[str, Any]
TEXT = {"type": "string"}


def converted(schema: object) -> Json:
    """Return the converted definitions of a composition with the id "A"."""
    return combine([Source(id="A", schema=schema)]).definitions


def prop(schema: object) -> Json:
    """Return the converted schema of a prop, and of the definitions that it has, in `$defs`."""
    definitions = converted({"type": "object", "properties": {"p": schema}})
    [value] = definitions.pop("AProps")["properties"].values()
    return {**value, "$defs": definitions} if definitions else value


def closed(properties: Json, *required: str) -> Json:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


@pytest.mark.parametrize(
    "schema",
    [
        *({"type": each} for each in ("string", "number", "integer", "boolean", "null")),
        {"enum": ["a", 1, True, None]},
        {"anyOf": [{"type": "string"}, {"type": "null"}]},
        {"type": "array", "items": {"type": "string"}},
        {"type": "object", "additionalProperties": {"type": "number"}},
        {"type": "string", "description": "The title.\nOn two lines."},
        {},
    ],
)
def test_what_both_generators_understand_stays(schema: Json) -> None:
    assert prop(schema) == schema


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string", "minLength": 1, "format": "uri", "pattern": "^a", "default": "a", "title": "T"}, TEXT),
        ({"type": "string", "const": "a"}, {"enum": ["a"]}),
        ({"type": "string", "enum": ["a", "b"]}, {"enum": ["a", "b"]}),
        ({"type": ["string", "null"]}, {"anyOf": [TEXT, {"type": "null"}]}),
        ({"oneOf": [TEXT, {"type": "number"}]}, {"anyOf": [TEXT, {"type": "number"}]}),
        ({"anyOf": [TEXT, TEXT]}, TEXT),
        ({"anyOf": [TEXT, {}]}, {}),
        ({"allOf": [TEXT]}, TEXT),
        ({"type": "array", "items": TEXT, "minItems": 1, "maxItems": 3}, {"type": "array", "items": TEXT}),
        ({"type": "object"}, {"type": "object", "additionalProperties": {}}),
        ({"type": "object", "properties": {}}, {"type": "object", "additionalProperties": {}}),
        ({"type": "string", "description": "__remotion-color"}, TEXT),
        ({"type": "file"}, {}),
        ({"not": {}}, {}),
        (True, {}),
        (False, {}),
        ("text", {}),
    ],
)
def test_only_what_types_need_is_left(schema: object, expected: Json) -> None:
    assert prop(schema) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.5], {"type": "number"}),
        (["a", 1.5, 2.5], {"anyOf": [{"enum": ["a"]}, {"type": "number"}]}),
        ([2**53], {"type": "number"}),
        (["a\nb", "\ud800"], {"type": "string"}),
        ([{"a": 1}, [1]], {"anyOf": [{"type": "object", "additionalProperties": {}}, {"type": "array", "items": {}}]}),
        ([], {}),
    ],
)
def test_values_that_are_no_literals_of_both_languages_are_widened(values: list[object], expected: Json) -> None:
    assert prop({"enum": values}) == expected


@pytest.mark.parametrize(
    "keyword", ["tsType", "tsEnumNames", "customTypePath", "x-python-type", "x-python-import", "$id"]
)
def test_keywords_with_which_the_generators_write_code_are_left_out(keyword: str) -> None:
    assert prop({"type": "string", keyword: "import('fs')"}) == TEXT


@pytest.mark.parametrize(
    "reference",
    ["file:///etc/passwd", "/etc/passwd", "http://127.0.0.1/", "other.json#/a", "#anchor", "#/$defs/Nope", "#/type"],
)
def test_references_that_lead_out_of_the_schema_accept_anything(reference: str) -> None:
    assert prop({"$ref": reference}) == {}


def test_objects_are_closed_unless_their_schema_says_what_else_they_have() -> None:
    properties = {"b": TEXT, "a": TEXT}
    schema = {"type": "object", "properties": properties, "required": ["a", "b"]}
    assert converted(schema) == {"AProps": closed(properties, "b", "a")}
    assert converted({**schema, "additionalProperties": {}})["AProps"]["additionalProperties"] == {}
    assert converted({**schema, "additionalProperties": TEXT})["AProps"]["additionalProperties"] == TEXT
    assert converted({**schema, "patternProperties": {"^x": TEXT}})["AProps"]["additionalProperties"] == {}
    assert converted({**schema, "required": ["c"]})["AProps"]["properties"]["c"] == {}


def test_keys_that_would_be_invisible_are_left_open() -> None:
    found = converted({"type": "object", "properties": {"a": TEXT, "b\u202e": TEXT}, "required": ["b\u202e"]})
    assert found["AProps"] == {**closed({"a": TEXT}), "additionalProperties": {}}


def test_records_of_known_keys_are_objects() -> None:
    schema = {"type": "object", "propertyNames": {"enum": ["s", "m"]}, "additionalProperties": TEXT, "required": ["s"]}
    assert prop(schema)["$defs"] == {"AP": closed({"s": TEXT, "m": TEXT}, "s")}


def test_nested_objects_have_the_names_of_their_props() -> None:
    scene = {"type": "object", "properties": {"picture": {"type": "object", "properties": {"src": TEXT}}}}
    found = prop({"type": "array", "items": scene})
    assert found["items"] == {"$ref": "#/$defs/APItem"}
    assert found["$defs"] == {
        "APItem": closed({"picture": {"$ref": "#/$defs/APItemPicture"}}),
        "APItemPicture": closed({"src": TEXT}),
    }


def test_options_of_a_union_have_the_names_of_their_discriminators() -> None:
    options = [{"properties": {"type": {"const": each}}, "required": ["type"]} for each in ("color", "image")]
    found = prop({"oneOf": [*options, {"properties": {"x": TEXT}}]})
    assert found["anyOf"] == [{"$ref": f"#/$defs/{each}"} for each in ("APColor", "APImage", "AP")]


def test_parts_of_an_intersection_that_say_nothing_are_left_out() -> None:
    part = {"type": "object", "properties": {"x": TEXT}}
    found = prop({"type": "object", "allOf": [part, {"required": ["x"]}, {"if": {}, "then": {}}]})
    assert found == {"$ref": "#/$defs/AP", "$defs": {"AP": closed({"x": TEXT})}}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (
            {"prefixItems": [TEXT], "items": False, "minItems": 1},
            {"minItems": 1, "additionalItems": False, "maxItems": 1},
        ),
        ({"items": [TEXT], "additionalItems": False}, {"minItems": 0, "additionalItems": False, "maxItems": 1}),
        ({"items": [TEXT], "maxItems": 1, "minItems": 1}, {"minItems": 1, "additionalItems": False, "maxItems": 1}),
        ({"prefixItems": [TEXT], "items": {"type": "null"}}, {"minItems": 0, "additionalItems": {"type": "null"}}),
        ({"prefixItems": [TEXT], "minItems": 10**9}, {"minItems": 1, "additionalItems": {}}),
    ],
)
def test_tuples_of_all_drafts_have_one_form(schema: Json, expected: Json) -> None:
    assert prop({"type": "array", **schema}) == {"type": "array", "items": [TEXT], **expected}


def test_a_tuple_with_many_items_is_an_array() -> None:
    assert prop({"type": "array", "prefixItems": [TEXT] * 1000}) == {"type": "array", "items": {}}


@pytest.mark.parametrize("definitions", ["$defs", "definitions"])
def test_a_recursive_schema_refers_to_itself(definitions: str) -> None:
    children = {"type": "array", "items": {"$ref": f"#/{definitions}/node"}}
    found = converted(
        {
            "type": "object",
            "properties": {"tree": {"$ref": f"#/{definitions}/node"}, "self": {"$ref": "#"}},
            definitions: {"node": {"type": "object", "properties": {"children": children}}},
        }
    )
    assert found == {
        "AProps": closed({"tree": {"$ref": "#/$defs/Node"}, "self": {"$ref": "#/$defs/AProps"}}),
        "Node": closed({"children": {"type": "array", "items": {"$ref": "#/$defs/Node"}}}),
    }


def test_references_may_have_escaped_keys_and_indices() -> None:
    schema = {"properties": {"a/b ~": {"anyOf": [TEXT]}, "c": {"$ref": "#/properties/a~1b%20~0/anyOf/0"}}}
    found = converted(schema)
    assert found["AProps"]["properties"]["c"] == {"$ref": "#/$defs/A0"}
    assert found["A0"] == TEXT


def test_equal_definitions_of_compositions_are_one() -> None:
    color: Json = {"type": "object", "properties": {"hex": TEXT}}

    def schema(color: Json) -> Json:
        brand = {"type": "object", "properties": {"color": {"$ref": "#/$defs/Color"}}}
        prop = {"$ref": "#/$defs/Brand"}
        return {"type": "object", "properties": {"brand": prop}, "$defs": {"Brand": brand, "Color": color}}

    found = combine(
        [
            *(Source(id=f"C{number}", schema=schema(color)) for number in range(100)),
            Source(id="other", schema=schema({"type": "string"})),
        ]
    ).definitions
    assert len(found) == 101 + 2 + 2
    assert found["Brand"] == closed({"color": {"$ref": "#/$defs/Color"}})
    assert found["Brand2"] == closed({"color": {"$ref": "#/$defs/Color2"}})


def test_generated_names_of_definitions_begin_with_the_composition() -> None:
    schema = {"type": "object", "properties": {"a": {"$ref": "#/$defs/__schema0"}}, "$defs": {"__schema0": TEXT}}
    assert set(converted(schema)) == {"AProps", "ASchema0"}


def test_the_order_of_the_compositions_does_not_matter() -> None:
    nested = {"type": "object", "properties": {"b": {"type": "object", "properties": {"c": TEXT}}}}
    sources = [Source(id=each, schema=nested) for each in ("my-video", "myVideo", "my.video", "z")]
    found = combine(sources)
    assert found == combine(sources[::-1])
    assert found.compositions == {
        "my-video": "MyVideoProps",
        "my.video": "MyVideoProps2",
        "myVideo": "MyVideoProps3",
        "z": "ZProps",
    }


def test_a_composition_without_schema_accepts_any_props() -> None:
    document = combine([Source(id="A", schema=None)])
    assert (document.definitions, document.compositions) == ({}, {"A": None})
    assert root_schema(document)["properties"] == {"A": {"type": "object", "additionalProperties": {}}}


@pytest.mark.parametrize(
    ("schema", "has_type"),
    [
        ({"type": "object"}, True),
        ({"anyOf": [{"properties": {"a": TEXT}}, {"allOf": [{"type": "object"}, {}]}]}, True),
        ({"$ref": "#/$defs/x", "$defs": {"x": {"anyOf": [{"$ref": "#"}, {"type": "object"}]}}}, False),
        ({"type": "number"}, False),
        ({"type": ["object", "null"], "properties": {"a": TEXT}}, False),
        ({"$ref": "#/$defs/nope"}, False),
        ({}, False),
    ],
)
def test_a_composition_whose_schema_is_not_that_of_an_object_accepts_any_props(schema: Json, *, has_type: bool) -> None:
    assert combine([Source(id="A", schema=schema)]).compositions == {"A": "AProps" if has_type else None}


@pytest.mark.parametrize("keyword", ["anyOf", "allOf"])
def test_a_union_or_intersection_of_itself_accepts_anything(keyword: str) -> None:
    one, other = ({keyword: [{"$ref": f"#/$defs/{each}"}, {"properties": {each: TEXT}}]} for each in "yx")
    found = converted({"properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": {"x": one, "y": other}})
    assert (found["X"], found["Y"]) == ({}, {})


def test_props_are_optional_if_wanted() -> None:
    schema = {"type": "object", "properties": {"a": TEXT, "b": TEXT}, "required": ["a", "b"]}
    found = combine([Source(id="A", schema=schema, optional=frozenset({"b", "c"}))])
    assert found.definitions["AProps"]["required"] == ["a"]
    with_id = {"$schema": "…", "$ref": "#/$defs/Node", "$defs": {"Node": schema}}
    found = combine([Source(id="A", schema=with_id, optional=frozenset({"b", "c"}))])
    assert found.definitions["AProps"]["required"] == ["a"]


def test_props_with_an_id_have_the_name_of_the_composition() -> None:
    node = {"type": "object", "properties": {"children": {"type": "array", "items": {"$ref": "#/$defs/Node"}}}}
    found = converted({"$schema": "…", "$ref": "#/$defs/Node", "$defs": {"Node": node}})
    assert found == {"AProps": closed({"children": {"type": "array", "items": {"$ref": "#/$defs/AProps"}}})}
    assert converted({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}) == {
        "AProps": {}
    }


def test_deep_schemas_end_at_the_limit() -> None:
    schema: Json = TEXT
    for _ in range(900):
        schema = {"type": "object", "properties": {"a": schema}}
    assert len(converted(schema)) == 101
    schema = TEXT
    for _ in range(900):
        schema = {"type": "array", "items": {"anyOf": [{"type": "null"}, {"allOf": [schema]}]}}
    assert "array" in str(converted(schema))


def test_many_definitions_that_refer_to_each_other_are_converted() -> None:
    definitions = {f"D{n}": {"type": "array", "items": {"$ref": f"#/$defs/D{n + 1}"}} for n in range(400)}
    found = converted({"$ref": "#/$defs/D0", "$defs": {**definitions, "D400": TEXT}})
    assert len(found) == 401
