"""Reads the objects that resolvers of queries and mutations return, without executing each field in graphql-core.

graphql-core executes root fields, and all that can't be compiled: values of interfaces and unions, fields that await
something and fields that it must report an error for. What is below a field is compiled to one function from its value
to the result, which is made again from the same value by graphql-core if the function fails.
"""

from typing import Any

from graphql import GraphQLObjectType, GraphQLOutputType
from graphql.execution import Executor
from graphql.execution.collect_fields import FieldDetails

from resolvers.execution.fields import NotCompilable, Reader, Shape, innermost, value_reader
from resolvers.execution.shapes import depends_on_variables, shape_of

MAX_VARIANTS = 4  # of the operation's fields: those that variables select, and parts of them

Key = tuple[GraphQLOutputType, tuple[int, ...]]


class Selections:
    """The compiled selections of one operation of a document, each compiled when it is first read.

    `fields` is the number of fields that the operation selects. If they depend on variables, at most `MAX_VARIANTS`
    times as many are kept, since a field takes 250 bytes and 4 variables can select 16 different results.
    """

    __slots__ = ("_by_nodes", "_by_shape", "_depends_on_variables", "_kept_fields", "_max_kept_fields")

    def __init__(self, fields: int) -> None:
        self._max_kept_fields = MAX_VARIANTS * fields
        self._kept_fields = 0
        self._depends_on_variables: bool | None = None
        self._by_nodes: dict[Key, Reader | None] = {}  # by the type and the field's nodes, which the document keeps
        self._by_shape: dict[tuple[GraphQLOutputType, Shape], Reader | None] = {}  # if they depend on variables

    def reader(
        self,
        executor: Executor[Any],
        type_: GraphQLOutputType,
        details: list[FieldDetails],
        *,
        used: dict[Key, Reader | None],
    ) -> Reader | None:
        """Return the reader of values of this type, an object or a list; None if graphql-core must complete them.

        `used` are the readers that this execution has used, if they depend on variables.
        """
        if self._depends_on_variables is None:
            self._depends_on_variables = depends_on_variables(executor)
        known = used if self._depends_on_variables else self._by_nodes
        key = (type_, tuple([id(each.node) for each in details]))
        try:
            return known[key]
        except KeyError:
            reader = known[key] = self._compile(executor, type_, details)
            return reader

    def _compile(self, executor: Executor[Any], type_: GraphQLOutputType, details: list[FieldDetails]) -> Reader | None:
        object_type = innermost(type_)
        if not isinstance(object_type, GraphQLObjectType):
            return None
        try:
            shape = shape_of(executor, object_type, details)
        except NotCompilable:
            return None
        return self._known(type_, shape) if self._depends_on_variables else _reader(type_, shape)

    def _known(self, type_: GraphQLOutputType, shape: Shape) -> Reader | None:
        try:
            return self._by_shape[type_, shape]
        except KeyError:
            reader = _reader(type_, shape)
        fields = _count_fields(shape)
        if self._kept_fields + fields > self._max_kept_fields:
            self._by_shape.clear()
            self._kept_fields = 0
        self._by_shape[type_, shape] = reader
        self._kept_fields += fields
        return reader


def _reader(type_: GraphQLOutputType, shape: Shape) -> Reader | None:
    try:
        return value_reader(type_, shape)
    except NotCompilable:
        return None


def _count_fields(shape: Shape) -> int:
    return len(shape) + sum(_count_fields(selection) for *_, selection in shape)
