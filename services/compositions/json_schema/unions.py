"""Chooses the branch of a union (`anyOf`, `oneOf`) that a value was meant for, so that its problems can be shown."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import NoneType

from services.compositions.json_pointer import escape
from services.compositions.json_schema.index import SchemaIndex, member
from services.compositions.json_schema.sentences import SEVERAL_FORMS, choose_one, give_type

_TYPES = {NoneType: "null", bool: "boolean", str: "string", list: "array", dict: "object"}
_NUMBER = frozenset({"number"})
_INTEGER = frozenset({"integer", "number"})


@dataclass(frozen=True, slots=True, kw_only=True)
class UnionExplanation:
    """A message about the value, or about its member `key`; or the pointers of the branches to show the problems of."""

    message: str | None = None
    key: str | None = None
    branches: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class _Branch:
    pointer: str
    schema: Mapping[str, object]

    @property
    def options(self) -> list[object] | None:
        """The only values that it accepts; None if it isn't an enumeration."""
        return _options(self.schema)

    @property
    def types(self) -> frozenset[str] | None:
        """The JSON types that it accepts; None for any."""
        if self.options is not None:
            return frozenset().union(*map(_types, self.options))
        match self.schema.get("type"):
            case str() as name:
                return frozenset({name})
            case list() as names:
                return frozenset(map(str, names))
            case _:
                return None


def explain_union(index: SchemaIndex, pointers: Sequence[str], value: object, *, accepting: int) -> UnionExplanation:
    """Return what to report of a value that no branch accepts, or that several (`accepting`) accept.

    Branches for other JSON types are left out, then those whose discriminator (a constant member) has another value.
    Of the rest, the branch with the fewest problems is taken, but not one for a few fixed values.
    """
    if accepting:
        return UnionExplanation(message=SEVERAL_FORMS)
    branches = [_branch(index, pointer) for pointer in pointers]
    fitting = [each for each in branches if each.types is None or each.types & _types(value)]
    if not fitting:
        types = [name for each in branches for name in sorted(each.types or ())]
        return UnionExplanation(message=give_type(_without_integer(types)))
    if all(each.options is not None for each in fitting):
        return UnionExplanation(message=choose_one(_all_options(fitting)))
    return _explain_objects(index, fitting, value) if isinstance(value, dict) else _best(index, fitting, value)


def _explain_objects(index: SchemaIndex, branches: Sequence[_Branch], value: Mapping[str, object]) -> UnionExplanation:
    for key in _discriminators(index, branches) if len(branches) > 1 else ():
        options = [_member_options(index, each, key) for each in branches]
        if key not in value:
            return UnionExplanation(message=f"{key} is missing. {choose_one(_flat(options))}", key=key)
        branches = [each for each, own in zip(branches, options, strict=True) if _contains(own, value[key])]
        if not branches:
            return UnionExplanation(message=choose_one(_flat(options)), key=key)
    return _best(index, branches, value)


def _best(index: SchemaIndex, branches: Sequence[_Branch], value: object) -> UnionExplanation:
    best = min(branches, key=lambda each: (each.options is not None, _count_problems(index, each, value)))
    return UnionExplanation(branches=[best.pointer])


def _branch(index: SchemaIndex, pointer: str) -> _Branch:
    target = index.follow(pointer)
    schema = index.get(target)
    return _Branch(target, schema if isinstance(schema, dict) else {})


def _options(schema: Mapping[str, object]) -> list[object] | None:
    if "const" in schema:
        return [schema["const"]]
    options = schema.get("enum")
    return options if isinstance(options, list) else None


def _all_options(branches: Iterable[_Branch]) -> list[object]:
    return _flat([each.options or [] for each in branches])


def _flat(lists: Iterable[list[object]]) -> list[object]:
    return [option for options in lists for option in options]


def _discriminators(index: SchemaIndex, branches: Sequence[_Branch]) -> list[str]:
    """Return the names of the members for which every branch lists the values."""
    properties = branches[0].schema.get("properties")
    names = properties if isinstance(properties, dict) else ()
    return [name for name in names if all(_member_options(index, each, name) for each in branches)]


def _member_options(index: SchemaIndex, branch: _Branch, key: str) -> list[object]:
    properties = branch.schema.get("properties")
    if not isinstance(properties, dict) or key not in properties:
        return []
    return _branch(index, member(branch.pointer, "properties", key)).options or []


def _contains(options: Iterable[object], value: object) -> bool:
    return any(option == value and isinstance(option, bool) == isinstance(value, bool) for option in options)


def _count_problems(index: SchemaIndex, branch: _Branch, value: object) -> int:
    """Return how many keywords and members of a branch do not accept the value; at least 1."""
    problems = len(index.own_errors(branch.pointer, value))
    properties = branch.schema.get("properties")
    if isinstance(properties, dict) and isinstance(value, dict):
        pointers = {key: f"{branch.pointer}/properties/{escape(key)}" for key in properties if key in value}
        problems += sum(not index.accepts(pointer, value[key]) for key, pointer in pointers.items())
    return max(1, problems)


def _types(value: object) -> frozenset[str]:
    if (name := _TYPES.get(type(value))) is not None:
        return frozenset({name})
    return _INTEGER if isinstance(value, int) or (isinstance(value, float) and value.is_integer()) else _NUMBER


def _without_integer(types: Sequence[str]) -> list[str]:
    return [name for name in types if name != "integer" or "number" not in types]
