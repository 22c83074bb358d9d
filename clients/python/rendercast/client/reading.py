"""Reads dataclasses from the objects of GraphQL responses, and builds the selections that request them.

A field `frames_rendered` of a dataclass is the field `framesRendered` of the GraphQL type. A field `raw` gets the whole
object. So a type of results is written once, in `results`.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from functools import cache, partial
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from rendercast.client.errors import UnexpectedResponse

Json = dict[str, Any]
Kind = TypeVar("Kind")
Reader = Callable[[Any], Any]

RAW = "raw"
_ACCEPTED: Mapping[Any, Any] = {float: (float, int), Literal: str}  # newer servers may have more values of an enum


def read(kind: type[Kind], value: object) -> Kind:
    """Return the object of a response as this dataclass. Raises `UnexpectedResponse`."""
    hint: Any = kind
    try:
        made: Kind = _reader(hint)(value)
    except (KeyError, TypeError, ValueError) as error:
        raise UnexpectedResponse(error) from error
    return made


def selection(kind: type, *, without: tuple[str, ...] = ()) -> str:
    """Return the GraphQL selection of a dataclass's fields, without some of them."""
    return " ".join(
        f"{key} {{ {selection(nested)} }}" if (nested := _nested(hint)) else key
        for name, key, hint, _ in _fields(kind)
        if name not in (RAW, *without)
    )


def camel_case(name: str) -> str:
    """Return the GraphQL name of a field."""
    return re.sub(r"_([a-z])", lambda match: match[1].upper(), name)


@cache
def _fields(kind: Any) -> tuple[tuple[str, str, Any, bool], ...]:
    """Return the name, the GraphQL name, the type of each field, and whether it may be missing."""
    hints = get_type_hints(kind)
    return tuple(
        (each.name, camel_case(each.name), hints[each.name], each.default is not MISSING) for each in fields(kind)
    )


def _nested(hint: Any) -> type | None:
    """Return the dataclass in a type, if there is one."""
    if is_dataclass(hint):
        return hint if isinstance(hint, type) else None
    return next((found for each in get_args(hint) if (found := _nested(each))), None)


@cache
def _reader(hint: Any) -> Reader:
    """Return the function that reads values of this type."""
    arguments = [each for each in get_args(hint) if each is not type(None)]
    kind = get_origin(hint) or hint
    if kind in {Union, UnionType}:
        return partial(_read_optional, _reader(*arguments))
    if kind is tuple:
        return partial(_read_items, _reader(arguments[0]))
    if kind is datetime:
        return datetime.fromisoformat
    if isinstance(kind, type) and is_dataclass(kind):
        return partial(_read_object, kind)
    return partial(_checked, _ACCEPTED.get(kind, kind))


def _read_optional(reader: Reader, value: object) -> Any:
    return None if value is None else reader(value)


def _read_items(reader: Reader, value: Iterable[object]) -> tuple[Any, ...]:
    return tuple(map(reader, value))


def _read_object(kind: Callable[..., Any], value: Mapping[str, Any]) -> Any:
    return kind(
        **{
            name: value if name == RAW else _reader(hint)(value[key])
            for name, key, hint, may_be_missing in _fields(kind)
            if name == RAW or key in value or not may_be_missing
        }
    )


def _checked(kind: type | tuple[type, ...], value: object) -> object:
    if not isinstance(value, kind):
        raise TypeError(f"{value!r} is not of the type {kind}")
    return value
