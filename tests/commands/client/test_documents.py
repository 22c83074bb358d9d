"""The client commands' GraphQL operations."""

import pytest
from graphql import parse, validate

from commands.client import documents
from resolvers.schema import build_schema

OPERATIONS = {
    name: text for name, text in vars(documents).items() if name.isupper() and not text.lstrip().startswith("fragment")
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_is_valid_for_the_schema(name: str) -> None:
    assert validate(build_schema().core_schema, parse(OPERATIONS[name])) == []
