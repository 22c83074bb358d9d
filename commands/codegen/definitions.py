"""The definitions of the generated file: compositions' props, objects in them, and what `$ref` refers to."""

import json
from collections import deque
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from commands.codegen.names import Names, type_name

Json = dict[str, Any]

ROOT = "#"
_BESIDE_REFERENCES = frozenset({"$ref", "$schema", "$id", "$defs", "definitions", "description", "title"})
_GENERATED = "__"  # zod's names of definitions that have none begin so


@dataclass(frozen=True, slots=True)
class Collected:
    """The converted definitions of all compositions by name. Equal ones with the same name are shared."""

    names: Names = field(default_factory=Names)
    schemas: dict[str, Json] = field(default_factory=dict)
    shared: dict[tuple[str, str], str] = field(default_factory=dict)


def reference_to(name: str) -> Json:
    """Return the schema that refers to a definition."""
    return {"$ref": f"#/$defs/{name}"}


class Definitions:
    """The definitions of one composition, whose props have the type `root_name`. None of `optional` is required."""

    def __init__(
        self, collected: Collected, *, root: Json, root_name: str, optional: Container[str] = frozenset()
    ) -> None:
        self._collected = collected
        self._root = root
        self._stem = root_name.removesuffix("Props")
        pointer, props = _follow(root, ROOT) or (ROOT, {})
        self._names = {pointer: root_name}
        self._pending = deque([(root_name, self._stem, _without_required(props, optional))])

    def next_pending(self) -> tuple[str, str, object] | None:
        """Return a definition that is not converted yet: its name, the beginning of names in it, and its schema."""
        return self._pending.popleft() if self._pending else None

    def add(self, name: str, converted: Json) -> None:
        """Add a converted definition."""
        self._collected.schemas[name] = converted

    def add_new(self, wanted: str, converted: Json) -> Json:
        """Add a converted definition with this name, or with a similar one, and return a reference to it."""
        name = self._collected.names.take(wanted, fallback=self._stem)
        self.add(name, converted)
        return reference_to(name)

    def reference(self, pointer: str) -> Json:
        """Return a reference to the definition of a part of the schema; `{}` for what is not in this schema."""
        followed = _follow(self._root, pointer)
        if followed is None:
            return {}
        pointer, target = followed
        if pointer not in self._names:
            self._names[pointer] = self._name(pointer, target)
        return reference_to(self._names[pointer])

    def _name(self, pointer: str, target: Json) -> str:
        """Return the name of a new definition, or that of the same one of another composition."""
        key = pointer.rpartition("/")[2]
        wanted = f"{self._stem}{type_name(key)}" if key.startswith(_GENERATED) else type_name(key)
        identity = (wanted, _closure(self._root, pointer))
        if identity not in self._collected.shared:
            name = self._collected.names.take(wanted, fallback=self._stem)
            self._collected.shared[identity] = name
            self._pending.append((name, name, target))
        return self._collected.shared[identity]


def _follow(root: Json, pointer: str) -> tuple[str, Json] | None:
    """Return the part of a schema that a pointer names, and its pointer. None if there is none.

    Parts that only refer to others are followed: zod describes props that have an id so.
    """
    seen: set[str] = set()
    while pointer not in seen:
        seen.add(pointer)
        target = root if pointer == ROOT else _resolve(root, pointer)
        if not isinstance(target, dict):
            return None
        reference = target.get("$ref")
        if not isinstance(reference, str) or not target.keys() <= _BESIDE_REFERENCES:
            return pointer, target
        pointer = reference
    return None


def _without_required(schema: Json, optional: Container[str]) -> Json:
    """Return the schema without these names among the required ones."""
    required = schema.get("required")
    if not isinstance(required, list):
        return schema
    return schema | {"required": [each for each in required if each not in optional]}


def _resolve(root: Json, pointer: str) -> object:
    """Return the part of a schema that a JSON pointer such as `#/$defs/Brand` names; None if there is none."""
    if not pointer.startswith(f"{ROOT}/"):
        return None
    value: object = root
    for token in unquote(pointer[2:]).split("/"):
        key = token.replace("~1", "/").replace("~0", "~")
        if isinstance(value, Mapping):
            value = value.get(key)
        elif isinstance(value, list) and key.isdecimal() and key.isascii() and int(key) < len(value):
            value = value[int(key)]
        else:
            return None
    return value


def _closure(root: Json, pointer: str) -> str:
    """Return a text that is equal for definitions that are equal, with all to which they refer."""
    found: dict[str, object] = {}
    pointers = [pointer]
    while pointers:
        each = pointers.pop()
        if each not in found:
            found[each] = root if each == ROOT else _resolve(root, each)
            pointers += _references(found[each])
    return json.dumps(found, sort_keys=True)


def _references(schema: object) -> list[str]:
    """Return the values of all keys `$ref`."""
    found: list[str] = []
    parts = [schema]
    while parts:
        part = parts.pop()
        if isinstance(part, dict):
            parts += part.values()
            if isinstance(reference := part.get("$ref"), str):
                found.append(reference)
        elif isinstance(part, list):
            parts += part
    return found
