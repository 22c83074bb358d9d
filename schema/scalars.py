"""Custom GraphQL scalars."""

from datetime import datetime
from typing import NewType

import strawberry
from strawberry.types.scalar import ScalarDefinition

BigInt = NewType("BigInt", int)
JSON = NewType("JSON", object)


def _unchanged(value: object) -> object:
    return value


SCALARS: dict[object, ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="A time in UTC in ISO 8601 format, such as 2026-01-01T12:00:00+00:00.",
        serialize=datetime.isoformat,
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
    ),
}
