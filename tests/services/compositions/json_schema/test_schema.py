"""Agreement of the problems with the validator, for generated schemas and values."""

import json
from collections.abc import Mapping

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.compositions.json_limits import MAX_PROBLEMS
from services.compositions.json_schema.schema import JsonSchema

NAMES = st.sampled_from(["a", "b", "c/~", "kind"])
SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, 1.0, "", "a", "b", "ab", "a@b.c"])
VALUES = st.recursive(
    SCALARS, lambda values: st.lists(values, max_size=4) | st.dictionaries(NAMES, values, max_size=4), max_leaves=12
)
TYPES = st.sampled_from(["string", "number", "integer", "boolean", "null", "array", "object"])
REFERENCES = st.sampled_from(["#", "#/$defs/a", "#/$defs/b"])
KEYWORDS_WITHOUT_SCHEMAS = {
    "type": TYPES | st.lists(TYPES, min_size=1, unique=True),
    "enum": st.lists(SCALARS, min_size=1, max_size=3, unique_by=repr),
    "const": VALUES,
    "minimum": st.integers(-1, 1),
    "exclusiveMaximum": st.integers(0, 2),
    "multipleOf": st.sampled_from([0.5, 2]),
    "minLength": st.integers(0, 2),
    "maxLength": st.integers(0, 2),
    "pattern": st.sampled_from(["^a", "b$"]),
    "format": st.sampled_from(["email", "uri", "unknown"]),
    "minItems": st.integers(0, 2),
    "maxItems": st.integers(0, 3),
    "uniqueItems": st.booleans(),
    "required": st.lists(NAMES, max_size=2, unique=True),
    "minProperties": st.integers(0, 2),
    "additionalProperties": st.booleans(),
    "$ref": REFERENCES,
    "default": VALUES,
}


def some_of(keywords: Mapping[str, st.SearchStrategy[object]]) -> st.SearchStrategy[dict[str, object]]:
    pairs = [st.tuples(st.just(keyword), values) for keyword, values in keywords.items()]
    return st.lists(st.one_of(pairs), min_size=1, max_size=4).map(dict)


def with_subschemas(schemas: st.SearchStrategy[object]) -> st.SearchStrategy[dict[str, object]]:
    lists, maps = st.lists(schemas, min_size=1, max_size=3), st.dictionaries(NAMES, schemas, max_size=3)
    keywords = {
        **dict.fromkeys(("properties", "dependentSchemas"), maps),
        **dict.fromkeys(("anyOf", "oneOf", "allOf", "prefixItems"), lists),
        **dict.fromkeys(
            ("items", "additionalProperties", "contains", "not", "if", "then", "else", "unevaluatedProperties"), schemas
        ),
        "propertyNames": schemas,
        "patternProperties": st.dictionaries(st.sampled_from(["^a", "b"]), schemas, max_size=2),
    }
    return some_of({**KEYWORDS_WITHOUT_SCHEMAS, **keywords})


SCHEMAS = st.recursive(st.booleans() | some_of(KEYWORDS_WITHOUT_SCHEMAS), with_subschemas, max_leaves=6)
ROOTS = st.tuples(with_subschemas(SCHEMAS), st.fixed_dictionaries({"a": SCHEMAS, "b": SCHEMAS})).map(
    lambda parts: {**parts[0], "$defs": parts[1]}
)


@pytest.mark.slow  # runs for long
@settings(max_examples=150)
@given(ROOTS, VALUES)
def test_there_are_problems_exactly_if_the_value_is_not_valid(schema: dict[str, object], value: object) -> None:
    problems = JsonSchema(json.dumps(schema), owner="a test").problems(value, path="/p")
    is_valid = jsonschema_rs.Draft202012Validator(schema, validate_formats=True).is_valid(value)
    assert (not problems) == is_valid
    assert len(problems) <= MAX_PROBLEMS + 1
    assert all(problem.path.startswith("/p") and problem.message.strip() for problem in problems)
