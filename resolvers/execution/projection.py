"""Computes results of subscriptions without executing each event in graphql-core.

For every event, graphql-core collects the fields of a selection, evaluates its fragments and directives and looks up
each field, although only the render changes. Here graphql-core collects the fields once per operation. They are the
selection's shape, which is compiled to a function from a render to the result. Subscriptions with the same shape share
the function, and also its result if they follow the same render. graphql-core still executes events if the selection
can't be compiled or the function fails.

Written for graphql-core 3.3.2, whose `collect_fields`, `collect_subfields`, `get_argument_values` with its parameters
and `Executor` attributes are not documented. `tests/resolvers/test_private_names.py` checks them.
"""

from typing import Any
from weakref import WeakValueDictionary

from graphql import GraphQLError, GraphQLObjectType, GraphQLSchema
from graphql.execution import Executor
from graphql.execution.collect_fields import FieldDetails, collect_fields, collect_subfields
from graphql.execution.values import get_argument_values

from resolvers.execution.fields import Arguments, NotCompilable, Reader, Shape, innermost, object_reader
from resolvers.json_text import write_json
from resolvers.strawberry_fields import python_class
from schema.render import Render, RenderLoader
from schema.render_change import RenderChange
from services import models

HASHABLE = (str, int, float, bool, type(None))

EventObject = Render | RenderChange


class Result(dict[str, Any]):
    """The data of a result, with its JSON in UTF-8 as `text`."""

    __slots__ = ("text",)

    text: bytes


class Projection:
    """Computes results from events, for all subscriptions whose selections have the same shape.

    `event_class` is the class of the events' GraphQL objects.
    """

    def __init__(self, key: str, read: Reader, event_class: type[EventObject]) -> None:
        self._key = key
        self._read = read
        self._event_class = event_class
        self._latest: tuple[object, Result | None] = None, None

    def result(self, event: EventObject) -> Result | None:
        """Return the result for an event; None if graphql-core must execute it. The latest result is cached."""
        model, result = self._latest
        return result if model is event.model else self._make(event)

    def encode(self, loader: RenderLoader, state: models.Render) -> bytes | None:
        """Return the JSON of the result for a state; None if graphql-core must execute it."""
        latest, result = self._latest
        if latest is not state:
            result = self._make(self._event_class.from_model(state, loader))
        return None if result is None else result.text

    def _make(self, event: EventObject) -> Result | None:
        result = Result()
        try:
            result[self._key] = self._read(event)
        except Exception:  # noqa: BLE001  # graphql-core raises the same error and reports it
            self._latest = event.model, None
            return None
        result.text = write_json(result)
        self._latest = event.model, result
        return result


class Projections:
    """The projections of the open subscriptions, by shape. Each is freed with the last subscription that uses it."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._by_shape: WeakValueDictionary[Shape, Projection] = WeakValueDictionary()

    def of(self, executor: Executor[Any]) -> Projection | None:
        """Return the projection of the executor's operation; None if each event must be executed."""
        try:
            shape = self._shape(executor)
            projection = self._by_shape.get(shape)
            if projection is None:
                projection = self._by_shape[shape] = self._compile(shape)
        except NotCompilable:
            return None
        return projection

    def _shape(self, executor: Executor[Any]) -> Shape:
        """Return the shape of a subscription, with its variables applied.

        The root field's arguments are left out: they select the render, and subscriptions to different renders share
        their projection.
        """
        root = self._schema.subscription_type
        if root is None:
            raise NotCompilable
        return tuple(
            (key, each[0].node.name.value, (), self._shape_of(executor, root, each))
            for key, each in collect_root_fields(executor).items()
        )

    def _shape_of_fields(
        self, executor: Executor[Any], parent: GraphQLObjectType, fields: dict[str, list[FieldDetails]]
    ) -> Shape:
        return tuple(
            (
                key,
                each[0].node.name.value,
                _arguments(executor, parent, each[0]),
                self._shape_of(executor, parent, each),
            )
            for key, each in fields.items()
        )

    def _shape_of(self, executor: Executor[Any], parent: GraphQLObjectType, details: list[FieldDetails]) -> Shape:
        field = parent.fields.get(details[0].node.name.value)
        field_type = None if field is None else innermost(field.type)
        if not isinstance(field_type, GraphQLObjectType):
            return ()  # a leaf, or a type that can't be compiled
        fields, *_ = collect_subfields(
            self._schema, executor.fragments, executor.variable_values, executor.operation, field_type, details
        )
        return self._shape_of_fields(executor, field_type, fields)

    def _compile(self, shape: Shape) -> Projection:
        root = self._schema.subscription_type
        if root is None or len(shape) != 1:
            raise NotCompilable
        key, name, _, selection = shape[0]
        type_ = None if name not in root.fields else innermost(root.fields[name].type)
        if not isinstance(type_, GraphQLObjectType):
            raise NotCompilable
        return Projection(key, object_reader(type_, selection), python_class(type_))


def _arguments(executor: Executor[Any], parent: GraphQLObjectType, details: FieldDetails) -> Arguments:
    """Return the arguments of a selected field, with variables and defaults applied."""
    field = parent.fields.get(details.node.name.value)
    if field is None or not field.args:
        return ()
    try:
        values = get_argument_values(field, details.node, executor.variable_values, details.fragment_variable_values)
    except GraphQLError as error:  # a variable that is null: graphql-core reports it with each event
        raise NotCompilable from error
    if not all(isinstance(value, HASHABLE) for value in values.values()):
        raise NotCompilable
    return tuple(values.items())


def collect_root_fields(executor: Executor[Any]) -> Any:
    """Return the root fields of a subscription by response name, as graphql-core collects them."""
    root: Any = executor.schema.subscription_type
    return collect_fields(
        executor.schema, executor.fragments, executor.variable_values, root, executor.operation
    ).grouped_field_set
