"""Parses, measures and validates GraphQL documents, and caches the accepted ones.

Imports Strawberry's validation rules from modules that it doesn't document, written for 0.341.2.
`tests/resolvers/test_private_names.py` checks them.
"""

import sys
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    GraphQLType,
    NoSchemaIntrospectionCustomRule,
    is_input_object_type,
    is_list_type,
    is_non_null_type,
    is_scalar_type,
    parse,
    specified_rules,
    validate,
)
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from resolvers.admission.cost import MeasuredOperation, measure
from services.errors import LimitExceeded
from services.settings import GraphQLSettings

RULES = (*specified_rules, MaybeNullValidationRule, OneOfInputValidationRule)
CHARACTERS_PER_TOKEN = 64  # maximum average length of a document's tokens: strings and comments are long
# Memory of a parsed document with its compiled selections, measured; of its fields, if fragments multiply them.
BYTES_PER_TOKEN = 700
VALUES_PER_TOKEN = 3  # in variables: to convert a value takes 1.3 µs, to parse a token 6.7 µs; 100 renders have 2,100
JSON_TYPE = "JSON"  # the scalar whose values are used as they are
MAX_ERRORS = 10  # per document: computing the position of each takes time
MAX_CACHE_BYTES = 32 * 1024 * 1024
MAX_CACHED_DOCUMENT_BYTES = MAX_CACHE_BYTES // 70

Container = dict[str, object] | list[object]


class DocumentRejected(Exception):  # noqa: N818  # named for what happened, like the services' errors
    """The document, or the requested operation of it, can't be executed because of these errors."""

    def __init__(self, *errors: GraphQLError) -> None:
        self.errors = list(errors)
        super().__init__(*errors)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, weakref_slot=True)
class AcceptedDocument:
    """A valid document within the limits."""

    document: DocumentNode
    operations: Mapping[str | None, MeasuredOperation]
    size_bytes: int

    def operation(self, name: str | None) -> MeasuredOperation:
        """Return the operation to execute: the only one, or the one with this name. Raises `DocumentRejected`."""
        if name is None and len(self.operations) == 1:
            return next(iter(self.operations.values()))
        if not self.operations:
            raise DocumentRejected(GraphQLError("Must provide an operation."))
        if name is None:
            raise DocumentRejected(GraphQLError("Must provide operation name if query contains multiple operations."))
        if name not in self.operations:
            raise DocumentRejected(GraphQLError(f'Unknown operation named "{name}".'))
        return self.operations[name]


class Documents:
    """Accepts or rejects documents. Each check runs before the step whose cost it limits."""

    def __init__(self, schema: GraphQLSchema, settings: GraphQLSettings) -> None:
        self.cache = DocumentCache()
        self._schema = schema
        self._settings = settings
        self._rules = RULES if settings.introspection else (*RULES, NoSchemaIntrospectionCustomRule)

    def accept(self, text: str) -> AcceptedDocument:
        """Return the document if it may be executed. Raises `DocumentRejected`."""
        max_characters = self._settings.max_query_tokens * CHARACTERS_PER_TOKEN
        if len(text) > max_characters:
            raise _limit_exceeded(f"This document has more than {max_characters} characters. ")
        accepted = self.cache.get(text)
        if accepted is None:
            accepted = self._check(text)
            self.cache.put(text, accepted)
        return accepted

    def _check(self, text: str) -> AcceptedDocument:
        try:
            document = self._parse(text)
            operations = measure(document, self._schema, self._settings)
        except GraphQLError as error:
            raise DocumentRejected(error) from error
        suggestions = bool(self._settings.introspection)
        if errors := validate(self._schema, document, self._rules, MAX_ERRORS, hide_suggestions=not suggestions):
            # Copied without `original_error`: a validation error is always the client's, never a bug of ours.
            raise DocumentRejected(*(GraphQLError(error.message, error.nodes) for error in errors))
        fields = sum(operation.fields for operation in operations.values())
        size_bytes = 2 * sys.getsizeof(text) + BYTES_PER_TOKEN * max(_count_tokens(document), fields)
        return AcceptedDocument(document=document, operations=operations, size_bytes=size_bytes)

    def _parse(self, text: str) -> DocumentNode:
        tokens = self._settings.max_query_tokens
        try:
            return parse(text, max_lexical_tokens=tokens, max_comments=tokens)
        except GraphQLSyntaxError as error:
            exceeded, aborted, _ = error.description.partition("Parsing aborted.")
            if not aborted:
                raise
            raise _limit_exceeded(exceeded) from error


class DocumentCache:
    """A least-recently-used cache of accepted documents by their text, of at most `MAX_CACHE_BYTES`.

    Rejected and large documents are not stored. Evicting other clients' documents therefore takes many valid documents,
    each of which costs no less than one that evicts nothing.
    """

    def __init__(self) -> None:
        self.size_bytes = 0
        self._documents: OrderedDict[str, AcceptedDocument] = OrderedDict()

    def __len__(self) -> int:
        return len(self._documents)

    def __contains__(self, text: str) -> bool:
        return text in self._documents

    def get(self, text: str) -> AcceptedDocument | None:
        """Return the document with this text; None if it isn't cached."""
        accepted = self._documents.get(text)
        if accepted is not None:
            self._documents.move_to_end(text)
        return accepted

    def put(self, text: str, accepted: AcceptedDocument) -> None:
        """Store a document, and evict the least recently used ones beyond the size limit."""
        if accepted.size_bytes > MAX_CACHED_DOCUMENT_BYTES:
            return
        self._documents[text] = accepted
        self.size_bytes += accepted.size_bytes
        while self.size_bytes > MAX_CACHE_BYTES:
            _, evicted = self._documents.popitem(last=False)
            self.size_bytes -= evicted.size_bytes


def check_variables(
    variables: Mapping[str, object], types: Mapping[str, GraphQLType | None], settings: GraphQLSettings
) -> None:
    """Limit the number and depth of an operation's variable values. Raises `DocumentRejected`.

    The limits are `VALUES_PER_TOKEN` times `max_query_tokens`, and `max_query_depth`. A value of the type JSON is not
    converted, so it counts as one, whatever it contains. `types` are those of the declared variables.
    """
    max_count = VALUES_PER_TOKEN * settings.max_query_tokens
    count, depth = len(variables), 0
    containers = _containers((value, types.get(name)) for name, value in variables.items())
    while containers:
        depth += 1
        count += sum(len(container) for container, _ in containers)
        if count > max_count:
            break
        if depth > settings.max_query_depth:
            raise _limit_exceeded(f"The variables are nested deeper than {settings.max_query_depth}. ")
        containers = _containers(member for each in containers for member in _members(*each))
    if count > max_count:
        raise _limit_exceeded(f"The variables have more than {max_count} values. ")


def _containers(values: Iterable[tuple[object, GraphQLType | None]]) -> list[tuple[Container, GraphQLType | None]]:
    """Return the lists and objects among values with their types, without those of the type JSON."""
    found: list[tuple[Container, GraphQLType | None]] = []
    for value, declared in values:
        if isinstance(value, dict | list):
            type_ = _nullable(declared)
            while is_list_type(type_) and not isinstance(value, list):  # a single value is accepted as a list of it
                type_ = _nullable(type_.of_type)
            if not is_scalar_type(type_) or type_.name != JSON_TYPE:
                found.append((value, type_))
    return found


def _nullable(type_: GraphQLType | None) -> GraphQLType | None:
    return type_.of_type if is_non_null_type(type_) else type_


def _members(container: Container, type_: GraphQLType | None) -> Iterable[tuple[object, GraphQLType | None]]:
    """Return the members of a list or object with their types. They have none if the type does not define them."""
    if isinstance(container, list):
        item_type = type_.of_type if is_list_type(type_) else None
        return ((item, item_type) for item in container)
    fields = type_.fields if is_input_object_type(type_) else {}
    return ((value, fields[name].type if name in fields else None) for name, value in container.items())


def _limit_exceeded(what: str) -> DocumentRejected:
    message = f"{what}Request less, or split the operation into several."
    return DocumentRejected(GraphQLError(message, original_error=LimitExceeded(message)))


def _count_tokens(document: DocumentNode) -> int:
    tokens = 0
    token = document.loc and document.loc.start_token
    while token:
        tokens += 1
        token = token.next
    return tokens
