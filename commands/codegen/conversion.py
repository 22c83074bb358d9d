"""Converts the JSON Schema of one composition's props, of any draft since 4, to what the generators understand.

Keywords that are not known here are left out: the generators have some that put code in their output, and resolve
references to files and URLs. Where types can't express a schema, they accept more than it.
"""

from collections.abc import Iterator
from typing import Any

from commands.codegen.definitions import Definitions
from commands.codegen.names import type_name
from commands.codegen.texts import comment, is_plain

Json = dict[str, Any]

MAX_DEPTH = 100  # of nested schemas; the server accepts no deeper props
MAX_TUPLE_ITEMS = 16
MAX_INTEGER = 2**53 - 1  # JavaScript rounds larger ones
SCALARS = frozenset({"boolean", "integer", "null", "number", "string"})


class Conversion:
    """The conversion of the schemas that `definitions` collects."""

    def __init__(self, definitions: Definitions) -> None:
        self._definitions = definitions

    def run(self) -> None:
        """Convert all definitions, and those to which they refer."""
        while (pending := self._definitions.next_pending()) is not None:
            name, stem, schema = pending
            self._definitions.add(name, self._schema(schema, stem, 0))

    def _schema(self, schema: object, name: str, depth: int) -> Json:
        """Return the converted schema. `name` is that of its type, if it needs one."""
        if not isinstance(schema, dict) or depth > MAX_DEPTH:
            return {}
        parts = [part for part in self._parts(schema, name, depth) if part]
        if len(parts) > 1:
            parts = [{"allOf": [self._named(part, name) for part in parts]}]
        converted = parts[0] if parts else {}
        if text := comment(schema.get("description")):
            converted = {"allOf": [converted]} if "$ref" in converted else converted
            return {**converted, "description": text}
        return converted

    def _nested(self, schema: object, name: str, depth: int) -> Json:
        return self._named(self._schema(schema, name, depth + 1), name)

    def _named(self, converted: Json, name: str) -> Json:
        """Return a reference to a new definition, if the schema is one that needs a name."""
        is_object = "properties" in converted or converted.get("additionalProperties") is False
        if is_object or len(converted.get("allOf", ())) > 1:
            return self._definitions.add_new(name, converted)
        return converted

    def _parts(self, schema: Json, name: str, depth: int) -> Iterator[Json]:
        """Yield schemas that a value must match."""
        has_others = False
        if isinstance(reference := schema.get("$ref"), str):
            has_others = True
            yield self._definitions.reference(reference)
        for keyword in ("anyOf", "oneOf"):
            if isinstance(options := schema.get(keyword), list) and options:
                has_others = True
                yield _any_of([self._nested(each, name + _label(each), depth) for each in options])
        if isinstance(all_of := schema.get("allOf"), list):
            has_others = has_others or bool(all_of)
            yield from (self._nested(each, name, depth) for each in all_of)
        values = [schema["const"]] if "const" in schema else schema.get("enum")
        if isinstance(values, list) and values:
            yield _literals(values)
        else:
            yield self._of_types(schema, name, depth, only_if_it_adds=has_others)

    def _of_types(self, schema: Json, name: str, depth: int, *, only_if_it_adds: bool) -> Json:
        adds = "properties" in schema or "items" in schema or "prefixItems" in schema
        if only_if_it_adds and not adds:
            return {}
        types = schema.get("type")
        if types is None:
            types = "object" if "properties" in schema else "array" if adds else ()
        names = [types] if isinstance(types, str) else types if isinstance(types, list) else ()
        converted = [self._of_type(each, schema, name, depth) for each in names]
        return converted[0] if len(converted) == 1 else _any_of([self._named(each, name) for each in converted])

    def _of_type(self, type_: object, schema: Json, name: str, depth: int) -> Json:
        if type_ == "object":
            return self._object(schema, name, depth)
        if type_ == "array":
            return self._array(schema, name, depth)
        return {"type": type_} if type_ in SCALARS else {}

    def _object(self, schema: Json, name: str, depth: int) -> Json:
        """Return the schema of an object. Without `additionalProperties` it is closed, if it has properties."""
        values = schema.get("additionalProperties")
        declared = _dict(schema.get("properties"))
        if not declared and isinstance(keys := _dict(schema.get("propertyNames")).get("enum"), list):
            declared, values = {each: values for each in keys if isinstance(each, str)}, False
        required = [each for each in _list(schema.get("required")) if isinstance(each, str)]
        declared = declared | {each: values for each in required if each not in declared}
        properties = {each: of for each, of in declared.items() if is_plain(each)}
        if "patternProperties" in schema or len(properties) < len(declared):
            others: Json | bool = {}
        elif values is False or (values is None and properties):
            others = False
        else:
            others = self._nested(values, f"{name}Value", depth)
        if not properties:
            return {"type": "object", "additionalProperties": others}
        plain = {each: self._nested(of, name + type_name(each), depth) for each, of in properties.items()}
        return {
            "type": "object",
            "properties": plain,
            "required": [each for each in plain if each in required],
            "additionalProperties": others,
        }

    def _array(self, schema: Json, name: str, depth: int) -> Json:
        """Return the schema of an array. Tuples have the form of draft 7, which both generators understand."""
        items, others = schema.get("prefixItems"), schema.get("items")
        if not isinstance(items, list):
            items, others = schema.get("items"), schema.get("additionalItems")
        if not isinstance(items, list):
            return {"type": "array", "items": self._nested(items, f"{name}Item", depth)}
        count = len(items)
        if count > MAX_TUPLE_ITEMS:
            return {"type": "array", "items": {}}
        least, most = (_count(schema.get(each)) for each in ("minItems", "maxItems"))
        tuple_ = {
            "type": "array",
            "items": [self._nested(each, f"{name}Item{n}", depth) for n, each in enumerate(items, 1)],
            "minItems": min(least or 0, count),
        }
        if others is False or (most is not None and most <= count):
            return {**tuple_, "additionalItems": False, "maxItems": min(count if most is None else most, count)}
        return {**tuple_, "additionalItems": self._nested(others, f"{name}Item", depth)}


def _label(option: object) -> str:
    """Return the value of the property by which the options of a union differ, such as `type`, as part of a name."""
    for each in _dict(_dict(option).get("properties")).values():
        if isinstance(value := _dict(each).get("const"), str):
            return type_name(value)
    return ""


def _any_of(options: list[Json]) -> Json:
    """Return the schema of values that match one of the options."""
    different = [each for n, each in enumerate(options) if each not in options[:n]]
    if not different or {} in different:
        return {}
    return different[0] if len(different) == 1 else {"anyOf": different}


def _literals(values: list[Any]) -> Json:
    """Return the schema of an enumeration. Values that both languages can't express as literals are widened."""
    literals = [each for each in values if _is_literal(each)]
    options: list[Json] = [{"enum": literals}] if literals else []
    return _any_of(options + [_widened(each) for each in values if not _is_literal(each)])


def _is_literal(value: object) -> bool:
    if isinstance(value, int):
        return -MAX_INTEGER <= value <= MAX_INTEGER
    return value is None or is_plain(value)


def _widened(value: object) -> Json:
    if isinstance(value, dict):
        return {"type": "object", "additionalProperties": {}}
    if isinstance(value, list):
        return {"type": "array", "items": {}}
    return {"type": "string" if isinstance(value, str) else "number"}


def _dict(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and value >= 0 else None
