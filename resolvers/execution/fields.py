"""What reads a field's value and completes it for a result, made once instead of looked up for every value.

It says what graphql-core's executor says of the same, or nothing: what it can't read, or finds wrong with a value, is
left to graphql-core.
"""

from collections.abc import Callable
from functools import cache
from operator import attrgetter
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLScalarType,
    Undefined,
)
from strawberry.types.field import StrawberryField

from schema.render import Render

TYPENAME = "__typename"
PLAIN = {"Boolean": bool, "ID": str, "Int": int, "String": str}  # what results have as it is
MAX_INT = 2**31 - 1  # https://spec.graphql.org/September2025/#sec-Int
MIN_INT = -MAX_INT - 1

Shape = tuple[tuple[str, str, "Shape"], ...]  # each field's name in the result, its own, and what is selected of it
Read = Callable[[Any], Any]


class NotCompilable(Exception):  # noqa: N818  # named for what it says
    """This is left to graphql-core."""


class LeafReaders:
    """Readers of the fields that have none below them."""

    def __init__(self) -> None:
        self._readers: dict[tuple[GraphQLObjectType, str], Read | None] = {}

    def reader(self, parent: GraphQLObjectType, name: str) -> Read | None:
        """Return what reads the field of an object; None if graphql-core must."""
        try:
            return self._readers[parent, name]
        except KeyError:
            reader = self._readers[parent, name] = _leaf_reader(parent, name)
            return reader


def _leaf_reader(parent: GraphQLObjectType, name: str) -> Read | None:
    try:
        value, plain, complete = _field(parent, name, ())
    except NotCompilable:
        return None

    def read(source: object) -> object:
        found = value(source)
        if type(found) is not plain or (plain is int and not MIN_INT <= found <= MAX_INT):
            found = complete(found)
        return found

    return read


def object_reader(type_: GraphQLObjectType, shape: Shape) -> Read:
    """Return what reads the fields of an object that are selected. Raises `NotCompilable`, and so does what it returns."""
    if not shape:
        raise NotCompilable
    fields = [(key, *_field(type_, name, selected)) for key, name, selected in shape]

    def read(source: object) -> dict[str, Any]:
        result = {}
        for key, value, plain, complete in fields:  # all here, since calls are what takes the time
            found = value(source)
            if type(found) is not plain or (plain is int and not MIN_INT <= found <= MAX_INT):
                found = complete(found)
            result[key] = found
        return result

    return read


def _field(parent: GraphQLObjectType, name: str, shape: Shape) -> tuple[Read, Any, Read]:
    """Return what reads a field's value, the type of values that are complete as they are, and what completes others.

    Raises `NotCompilable`.
    """
    if name == TYPENAME:
        return lambda _: parent.name, str, str
    field = parent.fields.get(name)
    definition = None if field is None else field.extensions.get("strawberry-definition")
    if field is None or field.args or not isinstance(definition, StrawberryField):
        raise NotCompilable
    plain = PLAIN.get(str(innermost(field.type)))  # no list's value is of these
    return _value(parent, definition), plain, _completer(field.type, shape)


def _value(parent: GraphQLObjectType, definition: StrawberryField) -> Read:
    """Return what reads a field's value: of an attribute, or of a method that takes nothing."""
    resolver = definition.base_resolver
    if resolver is None:
        is_shown = parent.extensions["strawberry-definition"].origin is Render
        return attrgetter(f"model.{definition.python_name}" if is_shown else definition.python_name)
    if resolver.is_async or resolver.info_parameter or resolver.parent_parameter:
        raise NotCompilable
    return resolver.wrapped_func  # type: ignore[return-value]  # a method, not bound yet


def _completer(type_: GraphQLOutputType, shape: Shape) -> Read:
    """Return what makes of a value what results have of it, as "Value Completion" in the specification.

    Raises `NotCompilable`, and so does what it returns.
    """
    required = isinstance(type_, GraphQLNonNull)
    nullable = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
    complete = _complete_value(nullable, shape)

    def read(value: object) -> object:
        if value is not None:
            return complete(value)
        if required:
            raise NotCompilable
        return None

    return cache(read) if isinstance(nullable, GraphQLEnumType) else read


def _complete_value(type_: GraphQLOutputType, shape: Shape) -> Read:
    match type_:
        case GraphQLObjectType():
            return object_reader(type_, shape)
        case GraphQLList():
            complete = _completer(type_.of_type, shape)
            return lambda values: [complete(value) for value in values]
        case GraphQLScalarType() | GraphQLEnumType():
            return _leaf(type_)
        case _:
            raise NotCompilable


def _leaf(type_: GraphQLScalarType | GraphQLEnumType) -> Read:
    coerce = type_.coerce_output_value

    def read(value: object) -> object:
        coerced = coerce(value)
        if coerced is None or coerced is Undefined:
            raise NotCompilable
        return coerced

    return read


def innermost(type_: GraphQLOutputType) -> GraphQLOutputType:
    """Return the type without its lists and non-nulls."""
    while isinstance(type_, GraphQLNonNull | GraphQLList):
        type_ = type_.of_type
    return type_
