"""Acceptance of documents and variables, and the cache of documents."""

import time
from collections.abc import Mapping

import pytest
from graphql import GraphQLType, get_introspection_query, parse

from pages.graphiql import FIRST_OPERATIONS
from resolvers.admission.cost import measure
from resolvers.admission.documents import (
    BYTES_PER_TOKEN,
    MAX_CACHE_BYTES,
    MAX_CACHED_DOCUMENT_BYTES,
    DocumentRejected,
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
SCHEMA = build_schema(DEFAULTS).core_schema
MAX_CPU_S = 1.0  # ten times the maximum measured


@pytest.fixture
def documents() -> Documents:
    return Documents(SCHEMA, DEFAULTS)


def types_of(document: str) -> Mapping[str, GraphQLType | None]:
    return measure(parse(document), SCHEMA, DEFAULTS)[None].variable_types


def rejected(documents: Documents, text: str) -> DocumentRejected:
    with pytest.raises(DocumentRejected) as caught:
        documents.accept(text)
    return caught.value


@pytest.mark.parametrize("name", DOCUMENTS)
def test_an_attack_is_rejected_cheaply_and_not_cached(documents: Documents, name: str) -> None:
    attack = DOCUMENTS[name]
    before = time.process_time()
    error = rejected(documents, attack.text).errors[0]
    assert time.process_time() - before < MAX_CPU_S
    assert attack.message in error.message
    assert isinstance(error.original_error, LimitExceeded) == (attack.code == "LIMIT_EXCEEDED")
    assert len(documents.cache) == documents.cache.size_bytes == 0


@pytest.mark.parametrize("variables", VARIABLES.values(), ids=VARIABLES)
def test_variables_over_a_limit_are_rejected_cheaply(variables: Mapping[str, object]) -> None:
    before = time.process_time()
    with pytest.raises(DocumentRejected) as caught:
        check_variables(variables, types_of("query ($filter: RenderFilter) { __typename }"), DEFAULTS)
    assert time.process_time() - before < MAX_CPU_S
    assert isinstance(caught.value.errors[0].original_error, LimitExceeded)


def test_variables_within_the_limits_are_accepted() -> None:
    for variables in ({}, {"a": 1, "b": ["x"] * 2998}, {"a": deep(15)}):
        check_variables(variables, {}, DEFAULTS)


STARTS = "mutation ($input: StartRenderInput!, $json: [JSON], $other: [[ID]]) { __typename }"
LARGE = {"scenes": [{"title": "x", "size": 1.5}] * 30_000, "deep": deep(500)}


@pytest.mark.parametrize(
    "variables",
    [
        {"input": {"composition": {"id": "Promo", "props": LARGE}, "generationId": "g"}},
        {"json": LARGE},
        {"json": [LARGE, LARGE, 3]},
    ],
)
def test_values_inside_the_type_json_are_not_counted(variables: Mapping[str, object]) -> None:
    check_variables(variables, types_of(STARTS), DEFAULTS)


@pytest.mark.parametrize(
    "variables",
    [
        {"input": LARGE},
        {"input": {"composition": LARGE}},
        {"input": {"composition": {"id": LARGE, "props": {}}}},
        {"input": {"composition": {"id": "Promo", "prop": LARGE}}},
        {"input": [{"composition": {"id": LARGE["scenes"]}}]},
        {"json": [{}] * 3000},
        {"other": LARGE},
        {"other": [[LARGE]]},
        {"undeclared": LARGE},
    ],
)
def test_values_of_all_other_types_are_counted(variables: Mapping[str, object]) -> None:
    with pytest.raises(DocumentRejected, match=r"more than 3000 values|nested deeper than 15"):
        check_variables(variables, types_of(STARTS), DEFAULTS)


@pytest.mark.parametrize("name", ["START", "RETRY", "CANCEL", "LIST", "NODE", "PROGRESS", "UPDATES"])
def test_documents_of_usual_clients_are_far_below_all_limits(name: str) -> None:
    tight = {"max_query_tokens": 250, "max_query_depth": 6, "max_query_fields": 125, "max_query_aliases": 1}
    documents = Documents(SCHEMA, DEFAULTS.model_copy(update={**tight, "max_query_cost": 7500}))
    assert documents.accept(getattr(clients, name)).operations


@pytest.mark.parametrize("full", [False, True])
def test_introspection_is_accepted_only_if_it_is_enabled(documents: Documents, *, full: bool) -> None:
    query = get_introspection_query(
        specified_by_url=full, directive_is_repeatable=full, schema_description=full, input_value_deprecation=full
    )
    assert Documents(SCHEMA, DEVELOPMENT).accept(query).operations
    assert "introspection has been disabled" in rejected(documents, query).errors[0].message
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
def test_an_operation_that_is_unknown_or_ambiguous_is_rejected(
    documents: Documents, text: str, name: str | None, said: str
) -> None:
    accepted = documents.accept(text)
    with pytest.raises(DocumentRejected) as caught:
        accepted.operation(name)
    assert said in caught.value.errors[0].message


def test_a_document_is_checked_once(documents: Documents) -> None:
    accepted = documents.accept("{ __typename }")
    assert documents.accept("{ __typename }") is accepted
    assert len(documents.cache) == 1


@pytest.mark.slow  # runs for long
def test_the_least_recently_used_documents_are_evicted(documents: Documents) -> None:
    often, once = "{ often: __typename }", "{ once: __typename }"
    first = documents.accept(often)
    documents.accept(once)
    cached = 0
    while len(documents.cache) > cached:
        cached = len(documents.cache)
        documents.accept(f'{{ render(id: "{"😀" * 35_000}") {{ a{cached}: id }} }}')
        assert documents.accept(often) is first
    assert documents.cache.size_bytes <= MAX_CACHE_BYTES
    assert documents.cache.get(once) is None


def test_fields_that_fragments_multiply_count_for_the_size_of_the_cache(documents: Documents) -> None:
    text = "{{ renders {{ {} }} }} fragment F on RenderEdge {{ node {{ id owner status progress attempt phase }} }}"
    often = documents.accept(text.format(" ".join(f"e{number}: edges {{ ...F }}" for number in range(40))))
    assert often.operation(None).fields == 1 + 40 * (1 + 1 + 1 + 6)
    assert often.size_bytes > BYTES_PER_TOKEN * often.operation(None).fields  # it has 302 tokens


def test_a_large_document_is_accepted_and_not_cached(documents: Documents) -> None:
    accepted = documents.accept("{ renders(filter: {status: [" + "QUEUED " * 900 + "]}) { edges { cursor } } }")
    assert accepted.size_bytes > MAX_CACHED_DOCUMENT_BYTES
    assert len(documents.cache) == 0
