"""Limits on GraphQL operations, and introspection."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from services.settings.base import SettingsGroup, renamed


class GraphQLSettings(SettingsGroup):
    """Introspection, and limits on operations."""

    introspection: bool | Literal["public"] | None = Field(
        None,
        description="Allow introspection, and suggest names in error messages: `true` to callers with a valid token, "
        "`public` to all. Default: true in `dev`, false in `serve`.",
    )
    max_query_tokens: int = Field(
        1000,
        ge=100,
        le=100_000,
        description="Maximum number of tokens in a document; its variables may have three times as many values. A "
        "value of the type `JSON` counts as one.",
    )
    max_query_depth: int = Field(
        15,
        ge=5,
        le=100,
        description="Maximum nesting depth of a document's fields, and of its variables, except for values of the type "
        "`JSON`.",
    )
    max_query_fields: int = Field(
        500,
        ge=50,
        le=10_000,
        description="Maximum number of fields in a document. A fragment's fields count each time it is spread.",
    )
    max_query_aliases: int = Field(
        50, ge=1, le=1000, description="Maximum number of aliases, of directives and of operations in a document."
    )
    max_query_cost: int = Field(
        10_000,
        ge=1000,
        le=1_000_000,
        description="Maximum cost of an operation: the number of fields in its result. Fields in lists count once per "
        "item; fields that read the store count as 25.",
    )
    max_mutations_per_minute: int = Field(
        120, ge=1, le=10_000, description="Maximum number of mutations of one user in any minute."
    )
    max_concurrent_operations: int = Field(
        4,
        ge=1,
        le=1000,
        validation_alias=renamed("MAX_CONCURRENT_OPERATIONS", "MAX_OPERATIONS_AT_ONCE"),
        description="Maximum number of queries and mutations of one user that run concurrently. Others wait.",
    )
    execution_timeout_s: float = Field(
        30,
        gt=0,
        le=600,
        description="Maximum execution time of an operation, or of one subscription event, in seconds.",
    )
    max_result_bytes: int = Field(
        1024 * 1024,
        ge=1024,
        le=64 * 1024 * 1024,
        description="Maximum size of an operation's result, or of one subscription event, in bytes.",
    )
    trusted_documents: Path | None = Field(
        None,
        description="JSON file of an object whose keys are identifiers and whose values are documents, as code "
        "generators of clients write it. Clients send `documentId`, or Apollo's extension `persistedQuery`, instead of "
        "the document.",
    )
    trusted_documents_only: bool = Field(
        default=False,
        description="Reject every document that is not in the file of trusted documents, also those of GraphiQL, the "
        "studio and the command line.",
    )
    projections: bool = Field(
        default=True,
        description="Compile the selections of documents that are executed again, instead of executing each field. "
        "`false` is for comparison only.",
    )
