"""Converts the cells of a CSV file to the types of the props that they set."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from commands.client.props import NUMBERS, unique_keys

NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
INTEGER = re.compile(r"[+-]?\d{1,308}")  # those with more digits are too large for a number of JavaScript
BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
RESTRICTING = ("const", "enum", "format", "pattern")
MAX_SCHEMAS = 1000  # that are visited below one path; the union of more is not a type that a cell could have
TYPE_NAMES = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}

Schema = Mapping[str, Any]


class WrongCellError(Exception):
    """The cell can't be a value of the prop. The message continues a sentence after the cell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PropType:
    """What is known of a prop: the JSON types that it may have, none if unknown, and whether it may be any text."""

    names: frozenset[str]
    is_any_text: bool

    def read(self, cell: str) -> object:
        """Return the value of a cell that is not empty. Raises `WrongCellError`."""
        if not self.names or "string" in self.names:
            return cell
        text = cell.strip()
        if self.names & {"number", "integer"} and (number := _number(text)) is not None:
            return number
        if "boolean" in self.names and text.lower() in BOOLEANS:
            return BOOLEANS[text.lower()]
        if self.names & {"array", "object", "null"}:
            try:
                return json.loads(text, object_pairs_hook=unique_keys, **NUMBERS)
            except (ValueError, RecursionError):
                raise WrongCellError("is not valid JSON") from None
        raise WrongCellError(self._expected)

    @property
    def _expected(self) -> str:
        if "boolean" in self.names:
            return "is neither true nor false"
        return "is not a number, such as 3 or 1.5"


def type_at(path: tuple[str | int, ...], *, schema: Schema | None, defaults: object) -> PropType:
    """Return the type of the prop at a path: by the JSON Schema of the props, else by the default value."""
    found = [] if schema is None else list(_at(schema, path))
    names: set[str] = set()
    is_any_text = schema is None
    for each in found:
        own = frozenset(_names(each))
        names |= own
        is_any_text |= "string" in own and not any(keyword in each for keyword in RESTRICTING)
    if not names and (default := _value_at(defaults, path)) is not None:
        names = {TYPE_NAMES[type(default)]}
    may_be_null = "null" in names
    return PropType(names=frozenset(names), is_any_text=(is_any_text or not names) and not may_be_null)


def _number(text: str) -> int | float | None:
    if INTEGER.fullmatch(text):
        return int(text)
    if not NUMBER.fullmatch(text) or math.isinf(number := float(text)):
        return None
    return number


def _value_at(value: Any, path: tuple[str | int, ...]) -> object:
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _at(schema: Schema, path: tuple[str | int, ...]) -> Iterator[Schema]:
    """Yield the schemas that apply to the value at a path."""
    found = list(_variants(schema, root=schema))
    for step in path:
        inner = [child for each in found for child in _children(each, step)]
        found = [variant for child in inner for variant in _variants(child, root=schema)]
    yield from found


def _children(schema: Schema, step: str | int) -> Iterator[Schema]:
    if isinstance(step, int):
        items = schema.get("prefixItems")
        candidates = [items[step] if isinstance(items, list) and step < len(items) else schema.get("items")]
    else:
        properties = schema.get("properties")
        known = properties.get(step) if isinstance(properties, dict) else None
        candidates = [schema.get("additionalProperties") if known is None else known]
    return (each for each in candidates if isinstance(each, dict))


def _variants(schema: Schema, *, root: Schema) -> Iterator[Schema]:
    """Yield the schema and those that it refers to or combines."""
    stack: list[Schema] = [schema]
    seen: list[Schema] = []
    while stack and len(seen) < MAX_SCHEMAS:
        each = stack.pop()
        if any(each is other for other in seen):
            continue
        seen.append(each)
        yield each
        for keyword in ("allOf", "anyOf", "oneOf"):
            if isinstance(members := each.get(keyword), list):
                stack += [member for member in members if isinstance(member, dict)]
        if isinstance(target := _referenced(each.get("$ref"), root), dict):
            stack.append(target)


def _referenced(reference: object, root: Schema) -> object:
    """Return what a reference within the schema points to; None for any other."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    keys = [key.replace("~1", "/").replace("~0", "~") for key in reference[1:].split("/")[1:]]
    return _value_at(root, tuple(keys))


def _names(schema: Schema) -> Iterator[str]:
    """Yield the JSON types that one schema names, by itself."""
    named = schema.get("type")
    yield from [named] if isinstance(named, str) else named if isinstance(named, list) else []
    values = schema.get("enum", [])
    for value in [*(values if isinstance(values, list) else []), *([schema["const"]] if "const" in schema else [])]:
        yield "null" if value is None else TYPE_NAMES[type(value)]
