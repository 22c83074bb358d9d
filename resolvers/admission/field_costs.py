"""The cost of a single field, and the maximum length of its lists."""

from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    IntValueNode,
    NullValueNode,
    ValueNode,
    get_nullable_type,
    is_list_type,
)

from resolvers.admission.introspection import META_FIELDS
from resolvers.strawberry_fields import field_definition
from schema.render import MAX_ITEMS, READS_STORE
from services.renders.pages import DEFAULT_PAGE, MAX_PAGE

DEFAULT_LIST_SIZE = 10  # assumed length of a list without a `first` argument
READ_COST = 25  # cost of a field that may read from the store; other fields cost 1


def named_definition(parent: GraphQLNamedType | None, name: str) -> GraphQLField | None:
    """Return the field of this name of a type, None if it has none."""
    if name in META_FIELDS:
        return META_FIELDS[name]  # on another type than Query it is not valid
    return parent.fields.get(name) if isinstance(parent, GraphQLObjectType | GraphQLInterfaceType) else None


def field_cost(parent: GraphQLNamedType | None, definition: GraphQLField | None) -> int:
    """Return the cost of resolving a field once. `__typename` costs 0."""
    if parent is None or definition is None:
        return 0
    ours = field_definition(definition)
    reads = ours is not None and (ours.is_async or READS_STORE in ours.metadata)
    return READ_COST if reads else 1


def is_list(definition: GraphQLField | None) -> bool:
    """Return whether the values of a field are lists."""
    return definition is not None and is_list_type(get_nullable_type(definition.type))


def max_items(definition: GraphQLField | None) -> int | None:
    """Return the maximum length of a list that declares it."""
    ours = field_definition(definition)
    return None if ours is None else ours.metadata.get(MAX_ITEMS)


def list_size(node: FieldNode, definition: GraphQLField | None) -> int:
    """Return the maximum length of the lists directly below a field: `first` or `last` for a connection.

    If both are given, the larger one counts, although such a request is rejected.
    """
    if definition is None or "first" not in definition.args:
        return DEFAULT_LIST_SIZE
    given = [argument.value for argument in node.arguments or () if argument.name.value in {"first", "last"}]
    return max((_page_size(value) for value in given), default=DEFAULT_PAGE)


def _page_size(value: ValueNode) -> int:
    if isinstance(value, NullValueNode):
        return DEFAULT_PAGE
    if not isinstance(value, IntValueNode) or len(value.value) > len(str(MAX_PAGE)):
        return MAX_PAGE
    return max(0, min(int(value.value), MAX_PAGE))
