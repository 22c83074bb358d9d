"""Finds where and why a value does not match a JSON Schema.

A validator that lists all errors takes time for each of them, and for each branch of a union: a second for a list of
100,000 wrong items. This search asks only whether parts of the value are valid, goes to those that aren't, and ends
when it has found enough.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from services.compositions.json_limits import MAX_PROBLEMS, first_problems
from services.compositions.json_pointer import child
from services.compositions.json_schema.index import SchemaIndex, member
from services.compositions.json_schema.sentences import NOT_ACCEPTED, REMOVE_VALUE, describe, remove_key
from services.compositions.json_schema.subschemas import Schema
from services.compositions.json_schema.unions import explain_union
from services.errors import PathProblem

Part = tuple[str | int, object, str, str]  # key or index, value, pointer of the subschema, rejection as in `Place`


@dataclass(frozen=True, slots=True)
class Place:
    """A part of the value that a subschema does not accept. `rejection` is the message if it accepts nothing at all."""

    pointer: str
    value: object
    path: str
    rejection: str = NOT_ACCEPTED


def find_problems(index: SchemaIndex, value: object, *, path: str) -> list[PathProblem]:
    """Return why the schema does not accept the value, in the schema's order; never an empty list.

    At most `MAX_PROBLEMS`, and one more that says so. `path` is the value's own path.
    """
    problems = first_problems(_search(index, Place("#", value, path)), path=path)
    return problems or [PathProblem(path=path, message=NOT_ACCEPTED)]


def _search(index: SchemaIndex, start: Place) -> Iterator[PathProblem]:
    stack, visited = [start], set()
    found = set()
    while stack:
        place = stack.pop()
        if (place.pointer, place.path) in visited:  # of a reference to itself, or of two branches
            continue
        visited.add((place.pointer, place.path))
        results = list(islice(_examine(index, place), MAX_PROBLEMS + 1))
        stack += reversed([each for each in results if isinstance(each, Place)])
        for each in results or [PathProblem(path=place.path, message=NOT_ACCEPTED)]:
            if isinstance(each, PathProblem) and each not in found:
                found.add(each)
                yield each


def _examine(index: SchemaIndex, place: Place) -> Iterator[PathProblem | Place]:
    """Yield the problems of the value itself, and the parts of it that have problems."""
    schema = index.get(place.pointer)
    if isinstance(schema, bool):
        if not schema:
            yield PathProblem(path=place.path, message=place.rejection)
        return
    errors = index.own_errors(place.pointer, place.value)
    yield from describe(errors, path=place.path)
    if any(error.kind.name == "type" for error in errors):
        return
    for pointer in _applied(index, schema, place):
        if not index.accepts(pointer, place.value):
            yield Place(pointer, place.value, place.path)
    for keyword in ("anyOf", "oneOf"):
        yield from _unions(index, schema, place, keyword)
    if isinstance(place.value, dict):
        yield from _keys(index, schema, place, place.value)
    for key, value, pointer, rejection in _parts(index, schema, place):
        if not index.accepts(pointer, value):
            yield Place(pointer, value, child(place.path, key), rejection)


def _applied(index: SchemaIndex, schema: Schema, place: Place) -> Iterator[str]:
    """Yield the pointers of the subschemas that must accept the same value."""
    if target := index.referenced(schema):
        yield target
    if isinstance(branches := schema.get("allOf"), list):
        yield from (member(place.pointer, "allOf", number) for number in range(len(branches)))
    if "if" in schema:
        branch = "then" if index.accepts(member(place.pointer, "if"), place.value) else "else"
        yield member(place.pointer, branch)
    dependent = schema.get("dependentSchemas")
    if isinstance(dependent, dict) and isinstance(place.value, dict):
        yield from (member(place.pointer, "dependentSchemas", key) for key in dependent if key in place.value)


def _unions(index: SchemaIndex, schema: Schema, place: Place, keyword: str) -> Iterator[PathProblem | Place]:
    branches = schema.get(keyword)
    if not isinstance(branches, list):
        return
    pointers = [member(place.pointer, keyword, number) for number in range(len(branches))]
    accepting = sum(index.accepts(pointer, place.value) for pointer in pointers)
    if accepting == 1 or (accepting and keyword == "anyOf"):
        return
    explanation = explain_union(index, pointers, place.value, accepting=accepting)
    if explanation.message:
        path = place.path if explanation.key is None else child(place.path, explanation.key)
        yield PathProblem(path=path, message=explanation.message)
    yield from (Place(pointer, place.value, place.path) for pointer in explanation.branches)


def _keys(index: SchemaIndex, schema: Schema, place: Place, value: Mapping[str, object]) -> Iterator[PathProblem]:
    if "propertyNames" not in schema:
        return
    pointer = index.follow(member(place.pointer, "propertyNames"))
    for key in value:
        if not index.accepts(pointer, key):
            path = child(place.path, key)
            problems = describe(index.own_errors(pointer, key), path=path)
            message = " ".join(["Rename this key.", *(problem.message for problem in problems)])
            yield PathProblem(path=path, message=message)


def _parts(index: SchemaIndex, schema: Schema, place: Place) -> Iterator[Part]:
    """Yield the members of an object, or the items of a list, that have a subschema."""
    match place.value:
        case dict() as members:
            yield from _members(index, schema, place.pointer, members)
        case list() as items:
            yield from _items(schema, place.pointer, items)


def _members(index: SchemaIndex, schema: Schema, pointer: str, members: Mapping[str, object]) -> Iterator[Part]:
    """Yield the members that the schema names, in its order, and then the others."""
    named, patterns = (_mapping(schema.get(keyword)) for keyword in ("properties", "patternProperties"))
    for key in named:
        if key in members:
            yield key, members[key], member(pointer, "properties", key), REMOVE_VALUE
    additional, rejection = member(pointer, "additionalProperties"), remove_key(named)
    for key, value in members.items():
        matching = [pattern for pattern in patterns if index.matches(pattern, key)]
        for pattern in matching:
            yield key, value, member(pointer, "patternProperties", pattern), REMOVE_VALUE
        if key not in named and not matching and "additionalProperties" in schema:
            yield key, value, additional, rejection


def _items(schema: Schema, pointer: str, items: Sequence[object]) -> Iterator[Part]:
    prefix = schema.get("prefixItems")
    first = len(prefix) if isinstance(prefix, list) else 0
    for number, item in enumerate(items[:first]):
        yield number, item, member(pointer, "prefixItems", number), REMOVE_VALUE
    if "items" in schema:
        others = member(pointer, "items")
        for number, item in enumerate(items[first:], first):
            yield number, item, others, REMOVE_VALUE


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
