"""The shapes of selections: which fields graphql-core collects for an object, with variables and defaults applied.

Written for graphql-core 3.3.2, whose `collect_fields`, `collect_subfields`, `get_argument_values` with its parameters
and `Executor` attributes are not documented. `tests/resolvers/test_private_names.py` checks them.
"""

from typing import Any

from graphql import GraphQLError, GraphQLObjectType, Node, Visitor, visit
from graphql.execution import Executor
from graphql.execution.collect_fields import FieldDetails, collect_fields, collect_subfields
from graphql.execution.values import get_argument_values

from resolvers.execution.fields import Arguments, NotCompilable, Shape, innermost

HASHABLE = (str, int, float, bool, type(None))


def shape_below(executor: Executor[Any], parent: GraphQLObjectType, details: list[FieldDetails]) -> Shape:
    """Return the shape of a field's own selection; empty for a leaf, or a type that can't be compiled.

    Raises `NotCompilable`.
    """
    field = parent.fields.get(details[0].node.name.value)
    field_type = None if field is None else innermost(field.type)
    return shape_of(executor, field_type, details) if isinstance(field_type, GraphQLObjectType) else ()


def shape_of(executor: Executor[Any], type_: GraphQLObjectType, details: list[FieldDetails]) -> Shape:
    """Return the shape of the selection of a field whose value has this type. Raises `NotCompilable`."""
    fields, *_ = collect_subfields(
        executor.schema, executor.fragments, executor.variable_values, executor.operation, type_, details
    )
    return tuple(
        (key, each[0].node.name.value, _arguments(executor, type_, each[0]), shape_below(executor, type_, each))
        for key, each in fields.items()
    )


def _arguments(executor: Executor[Any], parent: GraphQLObjectType, details: FieldDetails) -> Arguments:
    """Return the arguments of a selected field, with variables and defaults applied."""
    field = parent.fields.get(details.node.name.value)
    if field is None or not field.args:
        return ()
    try:
        values = get_argument_values(field, details.node, executor.variable_values, details.fragment_variable_values)
    except GraphQLError as error:  # a variable that is null: graphql-core reports it each time
        raise NotCompilable from error
    if not all(isinstance(value, HASHABLE) for value in values.values()):
        raise NotCompilable
    return tuple(values.items())


class _VariableCounter(Visitor):
    """Counts the uses of variables in a part of a document."""

    def __init__(self, *parts: Node) -> None:
        super().__init__()
        self.count = 0
        for part in parts:
            visit(part, self)

    def enter_variable(self, *_: object) -> None:
        """Count a use."""
        self.count += 1


def depends_on_variables(executor: Executor[Any]) -> bool:
    """Return whether the operation uses variables elsewhere than as arguments of its root fields."""
    root_fields = [details.node for each in collect_root_fields(executor).values() for details in each]
    fragments = (each.definition for each in executor.fragments.values())
    arguments = (argument for field in root_fields for argument in field.arguments or ())
    return _VariableCounter(executor.operation.selection_set, *fragments).count > _VariableCounter(*arguments).count


def collect_root_fields(executor: Executor[Any]) -> dict[str, list[FieldDetails]]:
    """Return the root fields of the operation by response name, as graphql-core collects them."""
    root: Any = executor.schema.get_root_type(executor.operation.operation)
    return collect_fields(
        executor.schema, executor.fragments, executor.variable_values, root, executor.operation
    ).grouped_field_set
