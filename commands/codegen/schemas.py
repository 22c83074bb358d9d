"""One JSON Schema of the props of all compositions, from which the types of a file are generated."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from commands.codegen.conversion import Conversion
from commands.codegen.definitions import Collected, Definitions, reference_to
from commands.codegen.names import MAX_LENGTH, type_name
from commands.codegen.texts import is_plain

Json = dict[str, Any]

SUFFIX = "Props"
RECORD: Json = {"type": "object", "additionalProperties": {}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A composition: its id, the JSON Schema of its props (None: any props), and the names of those to leave out."""

    id: str
    schema: object
    optional: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """The definitions of all types by name, and the name of each composition's type by id (None: any props)."""

    definitions: Json
    compositions: Mapping[str, str | None]


def combine(sources: Sequence[Source]) -> Document:
    """Return the definitions for these compositions. Their order doesn't matter."""
    collected = Collected()
    names: dict[str, str | None] = {}
    ordered = sorted((each for each in sources if is_plain(each.id)), key=lambda each: each.id)
    for each in ordered:
        wanted = type_name(each.id)[: MAX_LENGTH - len(SUFFIX)] + SUFFIX
        has_type = isinstance(each.schema, dict)
        names[each.id] = collected.names.take(wanted, fallback="Composition") if has_type else None
    for each in ordered:
        name = names[each.id]
        if name is not None and isinstance(each.schema, dict):
            definitions = Definitions(collected, root=each.schema, root_name=name, optional=each.optional)
            Conversion(definitions).run()
    found = {each: _without_cycle(collected.schemas, each) for each in sorted(collected.schemas)}
    objects = {each: name if name and _is_object(found, name) else None for each, name in names.items()}
    return Document(definitions=found, compositions=objects)


def root_schema(document: Document) -> Json:
    """Return the schema of an object with the props of each composition by id."""
    properties = {each: RECORD if name is None else reference_to(name) for each, name in document.compositions.items()}
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
        "$defs": document.definitions,
    }


def _without_cycle(definitions: Json, name: str) -> Json:
    """Return a definition; `{}` for a union or an intersection of itself, which is not a type."""
    reached: set[str] = set()
    pending = [name]
    while pending:
        found = set(_members(definitions[pending.pop()])) - reached
        reached |= found
        pending += found
    schema: Json = {} if name in reached else definitions[name]
    return schema


def _members(schema: Json) -> Iterator[str]:
    """Yield the names of the definitions that the schema is, or of whose union or intersection it is a part."""
    if "$ref" in schema:
        yield schema["$ref"].rpartition("/")[2]
    for each in (*schema.get("anyOf", ()), *schema.get("allOf", ())):
        yield from _members(each)


def _is_object(definitions: Json, name: str) -> bool:
    """Return whether all values of a type are objects, which props are."""

    def is_object(schema: Json) -> bool:
        if "$ref" in schema:
            return is_object(definitions[schema["$ref"].rpartition("/")[2]])
        if "anyOf" in schema:
            return all(map(is_object, schema["anyOf"]))
        if "allOf" in schema:
            return any(map(is_object, schema["allOf"]))
        return schema.get("type") == "object"

    return is_object(definitions[name])
