"""Which documents are accepted, and what is kept of them."""

import time
from collections.abc import Mapping

import pytest
from graphql import get_introspection_query

from pages.graphiql import FIRST_OPERATIONS
from resolvers.admission.documents import (
    MAX_CACHE_BYTES,
    MAX_CACHED_DOCUMENT_BYTES,
    DocumentRefused,
    Documents,
    check_variables,
)
from resolvers.schema import build_schema
from services.errors import LimitExceeded
from services.settings import default_settings
from tests.security.attacks import DOCUMENTS, VARIABLES, deep
from tests.support import api_client as clients

DEFAULTS = default_settings().graphql
DEVELOPMENT = DEFAULTS.model_copy(update={"introspection": True})
MAX_CPU_S = 1.0  # ten times what any may take


@pytest.fixture
def documents() -> Documents:
    return build_schema(DEFAULTS).documents


def refused(documents: Documents, text: str) -> DocumentRefused:
    with pytest.raises(DocumentRefused) as caught:
        documents.accept(text)
    return caught.value


@pytest.mark.parametrize("name", DOCUMENTS)
def test_an_attack_is_refused_cheaply_and_leaves_nothing(documents: Documents, name: str) -> None:
    attack = DOCUMENTS[name]
    before = time.process_time()
    error = refused(documents, attack.text).errors[0]
    assert time.process_time() - before < MAX_CPU_S
    assert attack.said in error.message
    assert isinstance(error.original_error, LimitExceeded) == (attack.code == "LIMIT_EXCEEDED")
    assert len(documents.remembered) == documents.remembered.size_bytes == 0


@pytest.mark.parametrize("variables", VARIABLES.values(), ids=VARIABLES)
def test_variables_that_are_too_many_or_too_deep_are_refused_cheaply(variables: Mapping[str, object]) -> None:
    before = time.process_time()
    with pytest.raises(DocumentRefused) as caught:
        check_variables(variables, DEFAULTS)
    assert time.process_time() - before < MAX_CPU_S
    assert isinstance(caught.value.errors[0].original_error, LimitExceeded)


def test_variables_within_the_limits_pass() -> None:
    for variables in ({}, {"a": 1, "b": ["x"] * 998}, {"a": deep(15)}):
        check_variables(variables, DEFAULTS)


@pytest.mark.parametrize("name", ["START", "RETRY", "CANCEL", "LIST", "NODE", "PROGRESS", "UPDATES"])
def test_what_clients_ask_is_far_from_every_limit(name: str) -> None:
    tight = {"max_query_tokens": 250, "max_query_depth": 6, "max_query_fields": 125, "max_query_aliases": 1}
    documents = build_schema(DEFAULTS.model_copy(update={**tight, "max_query_cost": 7500})).documents
    assert documents.accept(getattr(clients, name)).operations


@pytest.mark.parametrize("full", [False, True])
def test_tools_can_read_the_whole_schema_where_they_may(documents: Documents, *, full: bool) -> None:
    query = get_introspection_query(
        specified_by_url=full, directive_is_repeatable=full, schema_description=full, input_value_deprecation=full
    )
    assert build_schema(DEVELOPMENT).documents.accept(query).operations
    assert "introspection has been disabled" in refused(documents, query).errors[0].message
    assert documents.accept("{ __typename }").operations


def test_graphiqls_first_operations_are_accepted_together(documents: Documents) -> None:
    accepted = documents.accept(FIRST_OPERATIONS.read_text(encoding="utf-8"))
    assert set(accepted.operations) == {"Overview", "Start", "Watch", "Cancel", "WatchAll"}


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        ("{ __typename }", "A", 'Unknown operation named "A".'),
        ("query A { __typename }", "B", 'Unknown operation named "B".'),
        ("query A { __typename }", "", 'Unknown operation named "".'),
        ("query A { __typename } query B { __typename }", None, "Must provide operation name"),
    ],
)
def test_which_operation_is_meant_must_be_said(documents: Documents, text: str, name: str | None, said: str) -> None:
    accepted = documents.accept(text)
    with pytest.raises(DocumentRefused) as caught:
        accepted.operation(name)
    assert said in caught.value.errors[0].message


def test_a_document_is_checked_once(documents: Documents) -> None:
    accepted = documents.accept("{ __typename }")
    assert documents.accept("{ __typename }") is accepted
    assert len(documents.remembered) == 1


def test_documents_not_asked_for_longest_are_forgotten_when_there_is_no_more_room(documents: Documents) -> None:
    often, once = "{ often: __typename }", "{ once: __typename }"
    first = documents.accept(often)
    documents.accept(once)
    kept = 0
    while len(documents.remembered) > kept:
        kept = len(documents.remembered)
        documents.accept(f'{{ render(id: "{"😀" * 35_000}") {{ a{kept}: id }} }}')
        assert documents.accept(often) is first
    assert documents.remembered.size_bytes <= MAX_CACHE_BYTES
    assert documents.remembered.get(once) is None


def test_a_large_document_is_accepted_and_not_remembered(documents: Documents) -> None:
    accepted = documents.accept("{ renders(filter: {status: [" + "QUEUED " * 900 + "]}) { edges { cursor } } }")
    assert accepted.size_bytes > MAX_CACHED_DOCUMENT_BYTES
    assert len(documents.remembered) == 0
