"""GraphQL documents on their way to execution: parsed, counted, validated, and remembered for the next time."""

import sys
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    NoSchemaIntrospectionCustomRule,
    parse,
    specified_rules,
    validate,
)
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from resolvers.admission.cost import Operation, measure
from services.errors import LimitExceeded
from services.settings import Settings

RULES = (*specified_rules, MaybeNullValidationRule, OneOfInputValidationRule)
CHARACTERS_PER_TOKEN = 64  # a document may have, on average; texts and comments make it long
BYTES_PER_TOKEN = 500  # that a parsed document takes, measured
MAX_ERRORS = 10  # told of a document; each costs a search for its line
MAX_CACHE_BYTES = 32 * 1024 * 1024
MAX_CACHED_DOCUMENT_BYTES = MAX_CACHE_BYTES // 100


class DocumentRefused(Exception):  # noqa: N818  # named for what happened, like the services' errors
    """A document, or what is asked of it, can't be executed for these errors."""

    def __init__(self, *errors: GraphQLError) -> None:
        self.errors = list(errors)
        super().__init__(*errors)


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedDocument:
    """A document that may be executed."""

    document: DocumentNode
    operations: Mapping[str | None, Operation]
    size_bytes: int

    def operation(self, name: str | None) -> Operation:
        """Return the operation to execute: the only one, or the one that is named. Raises `DocumentRefused`."""
        if name is None and len(self.operations) == 1:
            return next(iter(self.operations.values()))
        if not self.operations:
            raise DocumentRefused(GraphQLError("Must provide an operation."))
        if name is None:
            raise DocumentRefused(GraphQLError("Must provide operation name if query contains multiple operations."))
        if name not in self.operations:
            raise DocumentRefused(GraphQLError(f'Unknown operation named "{name}".'))
        return self.operations[name]


class Documents:
    """Decides which documents are executed: each step comes before one that an attacker could make dearer."""

    def __init__(self, schema: GraphQLSchema, settings: Settings) -> None:
        self.remembered = DocumentCache()
        self._schema = schema
        self._settings = settings
        self._rules = RULES if settings.introspection else (*RULES, NoSchemaIntrospectionCustomRule)

    def accept(self, text: str) -> AcceptedDocument:
        """Return the document if it may be executed. Raises `DocumentRefused`."""
        if len(text) > self._settings.max_query_tokens * CHARACTERS_PER_TOKEN:
            raise _too_much(
                f"This document has more than {self._settings.max_query_tokens * CHARACTERS_PER_TOKEN} characters. "
            )
        accepted = self.remembered.get(text)
        if accepted is None:
            accepted = self._check(text)
            self.remembered.put(text, accepted)
        return accepted

    def _check(self, text: str) -> AcceptedDocument:
        try:
            document = self._parse(text)
            operations = measure(document, self._schema, self._settings)
        except GraphQLError as error:
            raise DocumentRefused(error) from error
        hints = bool(self._settings.introspection)
        if errors := validate(self._schema, document, self._rules, MAX_ERRORS, hide_suggestions=not hints):
            raise DocumentRefused(
                *(GraphQLError(error.message, error.nodes) for error in errors)
            )  # never for a fault of ours
        return AcceptedDocument(document=document, operations=operations, size_bytes=_size_bytes(text, document))

    def _parse(self, text: str) -> DocumentNode:
        tokens = self._settings.max_query_tokens
        try:
            return parse(text, max_lexical_tokens=tokens, max_comments=tokens)
        except GraphQLSyntaxError as error:
            told, aborted, _ = error.description.partition("Parsing aborted.")
            if not aborted:
                raise
            raise _too_much(told) from error


class DocumentCache:
    """The documents executed last, by their text, as far as they fit into `MAX_CACHE_BYTES`.

    None that was refused is here, and none that is large: to drive others out takes many that are valid, each of which
    costs who sends it, and the server, no less than one that drives none out.
    """

    def __init__(self) -> None:
        self.size_bytes = 0
        self._documents: OrderedDict[str, AcceptedDocument] = OrderedDict()

    def __len__(self) -> int:
        return len(self._documents)

    def get(self, text: str) -> AcceptedDocument | None:
        """Return the document with this text, if it is here."""
        accepted = self._documents.get(text)
        if accepted is not None:
            self._documents.move_to_end(text)
        return accepted

    def put(self, text: str, accepted: AcceptedDocument) -> None:
        """Remember a document, and forget those not asked for longest that don't fit any more."""
        if accepted.size_bytes > MAX_CACHED_DOCUMENT_BYTES:
            return
        self._documents[text] = accepted
        self.size_bytes += accepted.size_bytes
        while self.size_bytes > MAX_CACHE_BYTES:
            _, forgotten = self._documents.popitem(last=False)
            self.size_bytes -= forgotten.size_bytes


def check_variables(variables: Mapping[str, object], settings: Settings) -> None:
    """Count the values of an operation's variables, which are as much work as tokens. Raises `DocumentRefused`."""
    count = depth = 0
    containers: list[Mapping[str, object] | list[object]] = [variables]
    while containers:
        count += sum(map(len, containers))
        if count > settings.max_query_tokens:
            raise _too_much(f"The variables hold more than {settings.max_query_tokens} values. ")
        if depth > settings.max_query_depth:
            raise _too_much(f"The variables are nested deeper than {settings.max_query_depth}. ")
        depth += 1
        containers = [
            value
            for container in containers
            for value in (container.values() if isinstance(container, Mapping) else container)
            if isinstance(value, dict | list)
        ]


def _too_much(told: str) -> DocumentRefused:
    message = f"{told}Ask for less at once, or in several requests."
    return DocumentRefused(GraphQLError(message, original_error=LimitExceeded(message)))


def _size_bytes(text: str, document: DocumentNode) -> int:
    tokens = 0
    token = document.loc and document.loc.start_token
    while token:
        tokens += 1
        token = token.next
    return 2 * sys.getsizeof(text) + BYTES_PER_TOKEN * tokens
