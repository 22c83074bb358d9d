"""Results of subscriptions without executing each: what doesn't depend on the event is done once for an operation.

graphql-core collects the fields of a selection, follows its fragments and directives and looks up each field anew for
every event, though all that changes is the render. Here it collects them once. What it found is the selection's shape,
and from that comes a function that reads a render and makes the same result. Watchers whose operations have the same
shape share the function, and its result too, if they watch the same render. What the function can't do, or finds wrong
with a render, is left to graphql-core.
"""

from typing import Any
from weakref import WeakValueDictionary

from graphql import GraphQLObjectType, GraphQLSchema
from graphql.execution import Executor
from graphql.execution.collect_fields import FieldDetails, collect_fields, collect_subfields

from resolvers.execution.fields import NotCompilable, Read, Shape, innermost, object_reader
from schema.render import Render
from services import models
from services.json_text import write_json
from services.renders.service import RenderService


class Result(dict[str, Any]):
    """The data of a result, and its JSON."""

    __slots__ = ("text",)

    text: bytes


class Projection:
    """Makes results of renders, for every subscription whose selection has one shape."""

    def __init__(self, key: str, read: Read) -> None:
        self._key = key
        self._read = read
        self._latest: tuple[object, Result | None] = None, None

    def result(self, render: Render) -> Result | None:
        """Return the result for a render; None if graphql-core must make it. It is the same one for the same state."""
        state, result = self._latest
        return result if state is render.model else self._make(render)

    def text(self, renders: RenderService, state: models.Render) -> bytes | None:
        """Return the JSON of the result for a state; None if graphql-core must make it."""
        latest, result = self._latest
        if latest is not state:
            result = self._make(Render.from_model(state, renders))
        return None if result is None else result.text

    def _make(self, render: Render) -> Result | None:
        result = Result()
        try:
            result[self._key] = self._read(render)
        except Exception:  # noqa: BLE001  # graphql-core finds it too, and tells it as it tells everything
            self._latest = render.model, None
            return None
        result.text = write_json(result)
        self._latest = render.model, result
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
        except NotCompilable:
            return None
        return projection

    def _shape(self, executor: Executor[Any]) -> Shape:
        """Return the shape of a subscription, its variables filled in."""
        root = self._schema.subscription_type
        if root is None:
            raise NotCompilable
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
        of_field = None if field is None else innermost(field.type)
        if not isinstance(of_field, GraphQLObjectType):
            return ()  # of a leaf, or what can't be compiled
        fields, *_ = collect_subfields(
            self._schema, executor.fragments, executor.variable_values, executor.operation, of_field, details
        )
        return self._shape_of_fields(executor, of_field, fields)

    def _compile(self, shape: Shape) -> Projection:
        root = self._schema.subscription_type
        if root is None or len(shape) != 1:
            raise NotCompilable
        key, name, selected = shape[0]
        type_ = None if name not in root.fields else innermost(root.fields[name].type)
        if not isinstance(type_, GraphQLObjectType):
            raise NotCompilable
        return Projection(key, object_reader(type_, selected))
