"""Results of subscriptions without executing each: what doesn't depend on the event is done once for an operation.

graphql-core collects the fields of a selection, follows its fragments and directives and looks up each field anew for
every event, though all that changes is the render. Here it collects them once. What it found is the selection's shape,
and from that comes a function that reads a render and makes the same result. Watchers whose operations have the same
shape share the function, and its result too, if they watch the same render. What the function can't do, or finds wrong
with a render, is left to graphql-core.
"""

from collections.abc import Callable
from functools import cache
from operator import attrgetter
from typing import Any
from weakref import WeakValueDictionary

from graphql import (
    GraphQLEnumType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLScalarType,
    GraphQLSchema,
    Undefined,
)
from graphql.execution import Executor
from graphql.execution.collect_fields import FieldDetails, collect_fields, collect_subfields
from strawberry.types.field import StrawberryField

from resolvers.json_text import write_json
from schema.render import Render

TYPENAME = "__typename"
PLAIN = {"Boolean": bool, "ID": str, "String": str}  # what results have as it is

Shape = tuple[tuple[str, str, "Shape"], ...]  # each field's name in the result, its own, and what is selected of it
Read = Callable[[Any], Any]


class Uncovered(Exception):  # noqa: N818  # named for what it says
    """This is left to graphql-core."""


class Result(dict[str, Any]):
    """The data of a result, and its JSON."""

    text: bytes


class Projection:
    """Makes results of renders, for every subscription whose selection has one shape."""

    def __init__(self, key: str, read: Read) -> None:
        self._key = key
        self._read = read
        self._latest: tuple[object, Result | None] = None, None

    def result(self, render: Render) -> Result | None:
        """Return the result; None if graphql-core must make it. It is the same one for the same state."""
        state, result = self._latest
        if state is not render.model:
            result = self._make(render)
            self._latest = render.model, result
        return result

    def _make(self, render: Render) -> Result | None:
        try:
            result = Result({self._key: self._read(render)})
        except Exception:  # noqa: BLE001  # graphql-core finds it too, and tells it as it tells everything
            return None
        result.text = write_json(result)
        return result


class Projections:
    """Those of the subscriptions there are. Each is gone with the last that uses it."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._of_shape: WeakValueDictionary[Shape, Projection] = WeakValueDictionary()

    def of(self, executor: Executor[Any]) -> Projection | None:
        """Return the projection of the operation that is executed; None if it must be executed for each event."""
        try:
            shape = self._shape(executor)
            projection = self._of_shape.get(shape)
            if projection is None:
                projection = self._of_shape[shape] = self._compile(shape)
        except Uncovered:
            return None
        return projection

    def _shape(self, executor: Executor[Any]) -> Shape:
        """Return the shape of a subscription, its variables filled in."""
        root = self._schema.subscription_type
        if root is None:
            raise Uncovered
        fields, *_ = collect_fields(
            self._schema, executor.fragments, executor.variable_values, root, executor.operation
        )
        return self._shape_of_fields(executor, root, fields)

    def _shape_of_fields(
        self, executor: Executor[Any], parent: GraphQLObjectType, fields: dict[str, list[FieldDetails]]
    ) -> Shape:
        return tuple(
            (key, each[0].node.name.value, self._shape_of(executor, parent, each)) for key, each in fields.items()
        )

    def _shape_of(self, executor: Executor[Any], parent: GraphQLObjectType, details: list[FieldDetails]) -> Shape:
        field = parent.fields.get(details[0].node.name.value)
        of_field = None if field is None else _innermost(field.type)
        if not isinstance(of_field, GraphQLObjectType):
            return ()  # of a leaf, or what can't be compiled
        fields, *_ = collect_subfields(
            self._schema, executor.fragments, executor.variable_values, executor.operation, of_field, details
        )
        return self._shape_of_fields(executor, of_field, fields)

    def _compile(self, shape: Shape) -> Projection:
        root = self._schema.subscription_type
        if root is None or len(shape) != 1:
            raise Uncovered
        key, name, selected = shape[0]
        return Projection(key, _complete(root.fields[name].type, selected))


def _innermost(type_: GraphQLOutputType) -> GraphQLOutputType:
    while isinstance(type_, GraphQLNonNull | GraphQLList):
        type_ = type_.of_type
    return type_


def _object(type_: GraphQLObjectType, shape: Shape) -> Read:
    fields = [(key, _field(type_, name, selected)) for key, name, selected in shape]

    def read(source: object) -> dict[str, Any]:
        return {key: of(source) for key, of in fields}

    return read


def _field(parent: GraphQLObjectType, name: str, shape: Shape) -> Read:
    if name == TYPENAME:
        return lambda _: parent.name
    field = parent.fields.get(name)
    definition = None if field is None else field.extensions.get("strawberry-definition")
    if field is None or field.args or not isinstance(definition, StrawberryField):
        raise Uncovered
    value, complete = _value(definition), _complete(field.type, shape)
    return lambda source: complete(value(source))


def _value(definition: StrawberryField) -> Read:
    """Return what reads a field's value: of an attribute, or of a method that takes nothing."""
    resolver = definition.base_resolver
    if resolver is None:
        return attrgetter(definition.python_name)
    if resolver.is_async or resolver.info_parameter or resolver.parent_parameter:
        raise Uncovered
    return resolver.wrapped_func  # type: ignore[return-value]  # a method, not bound yet


def _complete(type_: GraphQLOutputType, shape: Shape) -> Read:
    """Return what makes of a field's value what results have of it, as "Value Completion" in the specification."""
    if isinstance(type_, GraphQLNonNull):
        return _required(_complete_value(type_.of_type, shape))
    complete = _complete_value(type_, shape)
    return lambda value: None if value is None else complete(value)


def _required(complete: Read) -> Read:
    def read(value: object) -> object:
        if value is None:
            raise Uncovered
        return complete(value)

    return read


def _complete_value(type_: GraphQLOutputType, shape: Shape) -> Read:
    match type_:
        case GraphQLObjectType():
            return _object(type_, shape)
        case GraphQLList():
            complete = _complete(type_.of_type, shape)
            return lambda values: [complete(value) for value in values]
        case GraphQLEnumType():
            return cache(_leaf(type_))
        case GraphQLScalarType(name=name) if plain := PLAIN.get(name):
            coerce = _leaf(type_)
            return lambda value: value if type(value) is plain else coerce(value)
        case GraphQLScalarType():
            return _leaf(type_)
        case _:
            raise Uncovered


def _leaf(type_: GraphQLScalarType | GraphQLEnumType) -> Read:
    coerce = type_.coerce_output_value

    def read(value: object) -> object:
        coerced = coerce(value)
        if coerced is None or coerced is Undefined:
            raise Uncovered
        return coerced

    return read
