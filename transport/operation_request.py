"""The parameters of a GraphQL request, which are the same for all transports."""

from typing import Any

from pydantic import BaseModel


class OperationRequest(BaseModel):
    """A GraphQL request (https://graphql.github.io/graphql-over-http/draft/#sec-Request-Parameters)."""

    query: str
    variables: dict[str, Any] | None = None
    operationName: str | None = None  # noqa: N815  # the specification's name
    extensions: dict[str, Any] | None = None
