"""The parameters of a GraphQL request, which are the same for all transports."""

from typing import Any, Self

from pydantic import BaseModel, field_validator, model_validator


class OperationRequest(BaseModel):
    """A GraphQL request with its document, or with the identifier of a document that the server has.

    https://graphql.github.io/graphql-over-http/draft/#sec-Request-Parameters and appendix "Persisted Documents". The
    identifier may also be in Apollo's extension `persistedQuery`.
    """

    query: str | None = None
    documentId: str | None = None  # noqa: N815  # the specification's name
    variables: dict[str, Any] | None = None
    operationName: str | None = None  # noqa: N815  # the specification's name
    extensions: dict[str, Any] | None = None

    @field_validator("operationName", "variables", "extensions", mode="before")
    @classmethod
    def _unset_empty(cls, value: object) -> object:
        """Return None for an empty text, which some clients send for a parameter that they don't need."""
        return None if value == "" else value

    @property
    def document_id(self) -> str | None:
        """The identifier of a document that the server has; None without one."""
        if self.documentId:
            return self.documentId
        persisted = (self.extensions or {}).get("persistedQuery")
        found = persisted.get("sha256Hash") if isinstance(persisted, dict) else None
        return found if isinstance(found, str) and found else None

    @model_validator(mode="after")
    def _require_document(self) -> Self:
        if self.query is None and self.document_id is None:
            raise ValueError("`query` is required")
        return self
