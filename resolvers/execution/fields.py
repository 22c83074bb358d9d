"""Compiles field readers: functions that read a field's value and complete it for a result.

A reader is compiled once, instead of looking up the field for every value. It returns the same as graphql-core's
executor, or raises an exception; then graphql-core must execute the field.
"""

from collections.abc import Callable
from functools import cache, lru_cache, partial
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

from resolvers.strawberry_fields import (
    field_definition,
    has_resolver,
    plain_method,
    python_arguments,
    python_class,
)
from schema.render import Render

TYPENAME = "__typename"
COMPLETE_TYPES = {"Boolean": bool, "ID": str, "Int": int, "String": str}  # their values need no conversion
MAX_INT = 2**31 - 1  # https://spec.graphql.org/September2025/#sec-Int
MIN_INT = -MAX_INT - 1
MAX_SHARED_LEAVES = 500  # the schema has 190; a field with other arguments is another leaf

Arguments = tuple[tuple[str, Any], ...]  # names in GraphQL and values, which are hashable
# For each selected field: response name, field name, arguments, its own selection.
Shape = tuple[tuple[str, str, Arguments, "Shape"], ...]
Reader = Callable[[Any], Any]
# Reads a field's value; the type of values that need no completion; the completion of others.
Field = tuple[Reader, Any, Reader]


class NotCompilable(Exception):  # noqa: N818  # a reason, not an error of the request
    """graphql-core must execute the selection or complete the value."""


class LeafReaders:
    """Readers of fields without sub-fields, each compiled when first used."""

    def __init__(self) -> None:
        self._readers: dict[tuple[GraphQLObjectType, str], Reader | None] = {}

    def reader(self, parent: GraphQLObjectType, name: str) -> Reader | None:
        """Return the reader of an object's field; None if graphql-core must execute it."""
        try:
            return self._readers[parent, name]
        except KeyError:
            reader = self._readers[parent, name] = _leaf_reader(parent, name)
            return reader


def _leaf_reader(parent: GraphQLObjectType, name: str) -> Reader | None:
    try:
        read_value, complete_type, complete = _leaf(parent, name, ())
    except NotCompilable:
        return None

    def read(source: object) -> object:
        value = read_value(source)
        if type(value) is not complete_type or (complete_type is int and not MIN_INT <= value <= MAX_INT):
            value = complete(value)
        return value

    return read


def object_reader(type_: GraphQLObjectType, shape: Shape) -> Reader:
    """Return the reader of the selected fields of an object. Raises `NotCompilable`, and so does the reader."""
    if not shape:
        raise NotCompilable
    fields = [
        (key, *(_field(type_, name, arguments, selection) if selection else _leaf(type_, name, arguments)))
        for key, name, arguments, selection in shape
    ]

    def read(source: object) -> dict[str, Any]:
        result = {}
        for key, read_value, complete_type, complete in fields:  # inlined from `_leaf_reader`, to save calls
            value = read_value(source)
            if type(value) is not complete_type or (complete_type is int and not MIN_INT <= value <= MAX_INT):
                value = complete(value)
            result[key] = value
        return result

    return read


@lru_cache(MAX_SHARED_LEAVES)
def _leaf(parent: GraphQLObjectType, name: str, arguments: Arguments) -> Field:
    """Return the same as `_field` for a field without a selection, which all selections share."""
    return _field(parent, name, arguments, ())


def _field(parent: GraphQLObjectType, name: str, arguments: Arguments, shape: Shape) -> Field:
    """Return a function that reads a field's value, the type of values that need no completion, and the completion.

    Raises `NotCompilable`.
    """
    if name == TYPENAME:
        return lambda _: parent.name, str, str
    field = parent.fields.get(name)
    definition = field_definition(field)
    if field is None or definition is None or len(field.args) != len(arguments):
        raise NotCompilable
    # Lists get a type too, but their values never have it.
    complete_type = COMPLETE_TYPES.get(str(innermost(field.type)))
    return _value_reader(parent, definition, arguments), complete_type, _completion(field.type, shape)


def _value_reader(parent: GraphQLObjectType, definition: StrawberryField, arguments: Arguments) -> Reader:
    """Return a function that reads the field's attribute, or calls its method with the arguments."""
    if not has_resolver(definition):
        is_render = python_class(parent) is Render
        return attrgetter(f"model.{definition.python_name}" if is_render else definition.python_name)
    method = plain_method(definition)
    if method is None:
        raise NotCompilable
    return partial(method, **python_arguments(definition, arguments)) if arguments else method


def _completion(type_: GraphQLOutputType, shape: Shape) -> Reader:
    """Return the function that completes a value, as in section "Value Completion" of the specification.

    Raises `NotCompilable`, and so does the function.
    """
    required = isinstance(type_, GraphQLNonNull)
    nullable = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
    complete = value_reader(nullable, shape)

    def read(value: object) -> object:
        if value is not None:
            return complete(value)
        if required:
            raise NotCompilable
        return None

    return cache(read) if isinstance(nullable, GraphQLEnumType) else read


def value_reader(type_: GraphQLOutputType, shape: Shape) -> Reader:
    """Return the completion of a nullable type's values that are not null. Raises `NotCompilable`, and so does it."""
    match type_:
        case GraphQLObjectType():
            return object_reader(type_, shape)
        case GraphQLList():
            complete = _completion(type_.of_type, shape)
            return lambda values: [complete(value) for value in values]
        case GraphQLScalarType() | GraphQLEnumType():
            return _leaf_completion(type_)
        case _:
            raise NotCompilable


def _leaf_completion(type_: GraphQLScalarType | GraphQLEnumType) -> Reader:
    coerce = type_.coerce_output_value

    def read(value: object) -> object:
        coerced = coerce(value)
        if coerced is None or coerced is Undefined:
            raise NotCompilable
        return coerced

    return read


def innermost(type_: GraphQLOutputType) -> GraphQLOutputType:
    """Return the type without its list and non-null wrappers."""
    while isinstance(type_, GraphQLNonNull | GraphQLList):
        type_ = type_.of_type
    return type_
