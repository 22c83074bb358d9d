"""Computes results of subscriptions without executing each event in graphql-core.

For every event, graphql-core collects the fields of a selection, evaluates its fragments and directives and looks up
each field, although only the render changes. Here graphql-core collects the fields once per operation. They are the
selection's shape, which is compiled to a function from a render to the result. Subscriptions with the same shape share
the function, and also its result if they follow the same render. graphql-core still executes events if the selection
can't be compiled or the function fails.
"""

from collections.abc import Iterator
from typing import Any
from weakref import WeakValueDictionary

from graphql import GraphQLObjectType, GraphQLSchema
from graphql.execution import Executor
from strawberry.types.field import StrawberryField

from resolvers.execution.fields import NotCompilable, Reader, Shape, innermost, object_reader
from resolvers.execution.shapes import collect_root_fields, shape_below
from resolvers.json_text import write_json
from resolvers.strawberry_fields import field_definition, python_class
from schema.render import READS_STORE, Render, RenderLoader
from schema.render_change import RenderChange
from services import models

EventObject = Render | RenderChange  # a `BatchProgress` has the same attributes, and is never pushed as a state


class Result(dict[str, Any]):
    """The data of a result, with its JSON in UTF-8 as `text`."""

    __slots__ = ("text",)

    text: bytes


class Projection:
    """Computes results from events, for all subscriptions whose selections have the same shape.

    `event_class` is the class of the events' GraphQL objects. With `reads_store`, a result for a QUEUED render must
    await its position.
    """

    def __init__(self, key: str, read: Reader, event_class: type[EventObject], *, reads_store: bool) -> None:
        self._key = key
        self._read = read
        self.event_class = event_class
        self._reads_store = reads_store
        self._latest: tuple[object, Result | None] = None, None

    def result(self, event: EventObject) -> Result | None:
        """Return the result for an event; None if graphql-core must execute it. The latest result is cached."""
        model, result = self._latest
        return result if model is event.model else self._make(event)

    def encode(self, loader: RenderLoader, state: models.Render) -> bytes | None:
        """Return the JSON of the result for a state; None if graphql-core must execute it."""
        if self._reads_store and state.status is models.RenderStatus.QUEUED:
            return None
        latest, result = self._latest
        if latest is not state:
            result = self._make(self.event_class.from_model(state, loader))
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

    def __init__(self, core_schema: GraphQLSchema) -> None:
        self.core_schema = core_schema
        self._by_shape: WeakValueDictionary[Shape, Projection] = WeakValueDictionary()

    def of(self, executor: Executor[Any]) -> Projection | None:
        """Return the projection of the executor's operation; None if each event must be executed."""
        try:
            return self.get(self.shape(executor))
        except NotCompilable:
            return None

    def get(self, shape: Shape) -> Projection:
        """Return the projection of a shape. Raises `NotCompilable`."""
        projection = self._by_shape.get(shape)
        if projection is None:
            projection = self._by_shape[shape] = self._compile(shape)
        return projection

    def shape(self, executor: Executor[Any]) -> Shape:
        """Return the shape of a subscription, with its variables applied. Raises `NotCompilable`.

        The root field's arguments are left out: they select the render, and subscriptions to different renders share
        their projection.
        """
        root = self.core_schema.subscription_type
        if root is None:
            raise NotCompilable
        return tuple(
            (key, each[0].node.name.value, (), shape_below(executor, root, each))
            for key, each in collect_root_fields(executor).items()
        )

    def _compile(self, shape: Shape) -> Projection:
        root = self.core_schema.subscription_type
        if root is None or len(shape) != 1:
            raise NotCompilable
        key, name, _, selection = shape[0]
        type_ = None if name not in root.fields else innermost(root.fields[name].type)
        if not isinstance(type_, GraphQLObjectType):
            raise NotCompilable
        reads_store = any(READS_STORE in definition.metadata for definition in _definitions(type_, selection))
        return Projection(key, object_reader(type_, selection), python_class(type_), reads_store=reads_store)


def _definitions(type_: GraphQLObjectType, shape: Shape) -> Iterator[StrawberryField]:
    """Yield the definitions of the fields that a shape selects from an object, and from those below it."""
    for _, name, _, selection in shape:
        field = type_.fields.get(name)
        if (definition := field_definition(field)) is not None:
            yield definition
        if selection and field is not None and isinstance(inner := innermost(field.type), GraphQLObjectType):
            yield from _definitions(inner, selection)
