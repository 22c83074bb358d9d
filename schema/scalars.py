"""Custom GraphQL scalars."""

from datetime import datetime
from typing import NewType

import strawberry
from graphql import ListValueNode, ObjectValueNode, Undefined, ValueNode, value_from_ast_untyped
from strawberry.types.scalar import ScalarDefinition

from services.clock import format_time

BigInt = NewType("BigInt", int)
JSON = NewType("JSON", object)


def _unchanged(value: object) -> object:
    return value


def _json_literal(node: ValueNode, variables: dict[str, object] | None = None) -> object:
    """Return the value of a literal. As in other inputs, a key whose variable has no value is left out.

    Only the nodes of the document are visited, not the values of variables, which can be large and used repeatedly.
    """
    match node:
        case ObjectValueNode():
            values = ((field.name.value, _json_literal(field.value, variables)) for field in node.fields)
            return {name: value for name, value in values if value is not Undefined}
        case ListValueNode():
            items = (_json_literal(item, variables) for item in node.values)
            return [None if item is Undefined else item for item in items]
        case _:
            return value_from_ast_untyped(node, variables)


SCALARS: dict[object, ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="A time in UTC in ISO 8601 format with milliseconds, such as 2026-01-01T12:00:00.000Z.",
        serialize=format_time,
        parse_value=datetime.fromisoformat,
    ),
    BigInt: strawberry.scalar(
        name="BigInt",
        description="An integer that may exceed 32 bits, as a JSON number. Exact up to 2^53 in JavaScript.",
        serialize=int,
        parse_value=int,
    ),
    JSON: strawberry.scalar(
        name="JSON",
        description="Any JSON value: an object, an array, a string, a number, a boolean or null.",
        serialize=_unchanged,
        parse_value=_unchanged,
        parse_literal=_json_literal,
    ),
}
