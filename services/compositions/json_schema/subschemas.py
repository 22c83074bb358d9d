"""The parts of a JSON Schema that are schemas themselves, by the keywords of draft 2020-12."""

from collections.abc import Iterator

Schema = dict[str, object]

_ONE_SCHEMA = (
    "additionalProperties",
    "contains",
    "else",
    "if",
    "items",
    "not",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
)
_SCHEMA_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_SCHEMA_MAPS = ("dependentSchemas", "patternProperties", "properties")
_DEFINITIONS = ("$defs", "definitions")


def applied(schema: Schema) -> Iterator[Schema]:
    """Yield the subschemas that are applied to the same values as the schema, or to parts of them."""
    values = [schema[keyword] for keyword in _ONE_SCHEMA if keyword in schema]
    for keyword in _SCHEMA_LISTS:
        if isinstance(schemas := schema.get(keyword), list):
            values += schemas
    yield from _schemas(values)
    for keyword in _SCHEMA_MAPS:
        yield from _members(schema.get(keyword))


def subschemas(schema: Schema) -> Iterator[Schema]:
    """Yield the schema and all in it, with its definitions, each before those in it."""
    stack = [schema]
    while stack:
        each = stack.pop()
        yield each
        stack += applied(each)
        for keyword in _DEFINITIONS:
            stack += _members(each.get(keyword))


def _members(value: object) -> Iterator[Schema]:
    return _schemas(list(value.values())) if isinstance(value, dict) else iter(())


def _schemas(values: list[object]) -> Iterator[Schema]:
    return (value for value in values if isinstance(value, dict))
