"""Scalars that GraphQL doesn't have by itself."""

from typing import NewType

import strawberry
from strawberry.types.scalar import ScalarDefinition

BigInt = NewType("BigInt", int)

SCALARS: dict[object, ScalarDefinition] = {
    BigInt: strawberry.scalar(
        name="BigInt",
        description="A whole number that may exceed 32 bits, as a JSON number. Exact up to 2^53 in JavaScript.",
        serialize=int,
        parse_value=int,
    )
}
