"""The measured cost of documents is never lower than the number of resolved fields."""

from collections.abc import Sequence
from typing import Any

import pytest
from graphql import GraphQLError, build_schema, execute_sync, get_introspection_query, parse, validate
from hypothesis import given
from hypothesis import strategies as st

from resolvers import schema as graphql_schema
from resolvers.admission.cost import MeasuredOperation, measure
from resolvers.admission.field_costs import DEFAULT_LIST_SIZE, READ_COST
from services.errors import LimitExceeded
from services.settings import default_settings

DEFAULTS = default_settings().graphql
FULL_TYPE = "fragment F on __Type { fields { name args { name type { name } } type { name ofType { name } } } }"
GENEROUS = default_settings(max_query_cost=10**9, max_query_fields=10**6, max_query_aliases=10**6).graphql
RENDERCAST = graphql_schema.build_schema().core_schema
EXAMPLE = build_schema("""
    type Query { one: Thing! many: [Thing!]! page(first: Int! = 20): Page! any: Named named: [Named!]! }
    type Page { things: [Thing!]! size: Int! }
    interface Named { name: String }
    type Thing implements Named {
      name: String words: [String!]! one: Thing! many: [Thing!]! page(first: Int! = 20): Page!
    }
""")


def cost(document: str) -> float:
    """Return the cost of the document's one operation on the real schema."""
    [operation] = measured(document).values()
    return operation.cost


def measured(document: str) -> dict[str | None, MeasuredOperation]:
    parsed = parse(document)
    assert validate(RENDERCAST, parsed) == []
    return measure(parsed, RENDERCAST, DEFAULTS)


def rejection(document: str, **limits: int) -> str:
    with pytest.raises(GraphQLError) as caught:
        measure(parse(document), RENDERCAST, DEFAULTS.model_copy(update=limits))
    assert isinstance(caught.value.original_error, LimitExceeded)
    assert caught.value.locations
    return caught.value.message


STARTS = (
    "mutation ($i: StartRendersInput!) { startRenders(input: $i) { ... on StartRendersSuccess { renders { id } } } }"
)


@pytest.mark.parametrize(
    ("document", "fields"),
    [
        ("{ renderLimits { fps } }", READ_COST + 1),
        ("{ renderQuota { limit remaining } }", READ_COST + 2),
        ("{ renders { edges { cursor } } }", READ_COST + 1 + 20),
        ("{ renders(first: 3) { edges { cursor } } }", READ_COST + 1 + 3),
        (
            "{ renders(first: 3) { edges { node { id queuePosition } } pageInfo { endCursor } } }",
            READ_COST + 1 + 3 * (READ_COST + 2) + 2,
        ),
        ("{ renders(first: 3) { edges { node { animationProps { fps } warnings } } } }", READ_COST + 1 + 3 * 4),
        ("query ($n: Int!) { renders(first: $n) { edges { cursor } } }", READ_COST + 1 + 100),
        ("query ($n: Int! = 3) { renders(first: $n) { edges { cursor } } }", READ_COST + 1 + 100),
        ("{ renders(first: 0) { edges { cursor } } }", READ_COST + 1),
        ("{ renders(first: 101) { edges { cursor } } }", READ_COST + 1 + 100),
        ("{ renders(first: -1) { edges { cursor } } }", READ_COST + 1),
        ("{ renders(first: null) { edges { cursor } } }", READ_COST + 1 + 20),
        ("{ renders(last: 3) { edges { cursor } } }", READ_COST + 1 + 3),
        ("{ renders(first: 3, last: 7) { edges { cursor } } }", READ_COST + 1 + 7),
        ("query ($n: Int) { renders(last: $n) { edges { cursor } } }", READ_COST + 1 + 100),
        ("{ renders { totalCount } }", 2 * READ_COST),
        ("{ renders(first: -99) @skip(if: true) { edges { node { queuePosition } } } }", READ_COST + 1),
        ("{ renders(first: -1000000000) { edges { cursor } } }", READ_COST + 1 + 100),
        ("{ __typename renderLimits { __typename } }", READ_COST),
        ("{ renderLimits { ...F ...F } } fragment F on RenderLimits { fps }", READ_COST + 2),
        ('{ node(id: "1") { id ... on Render { status } ... { id } ... @skip(if: true) { id } } }', READ_COST + 4),
        ("{ checkRenders(renders: []) { path } }", READ_COST + 101),
        (
            STARTS,
            READ_COST + 1 + 100,
        ),
        ('mutation { startRender: deleteRender(renderId: "1") { ... on UserError { message } } }', READ_COST + 1),
    ],
)
def test_a_field_costs_more_in_lists_and_if_it_reads_from_the_store(document: str, fields: int) -> None:
    assert cost(document) == fields


def values(result: object) -> int:
    """Return the number of values in a result."""
    match result:
        case dict():
            return len(result) + sum(values(each) for each in result.values())
        case list():
            return sum(values(each) for each in result)
    return 0


@pytest.mark.parametrize("descriptions", [True, False])
def test_the_introspection_of_tools_costs_about_as_much_as_it_returns_and_is_within_the_limit(
    *, descriptions: bool
) -> None:
    query = get_introspection_query(descriptions=descriptions)
    returned = values(execute_sync(RENDERCAST, parse(query)).data)
    assert returned <= cost(query) < 1.5 * returned
    assert cost(query) < 0.6 * DEFAULTS.max_query_cost


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("{ a: __schema { description } b: __schema { description } }", "more than 1 fields `__schema`"),
        ("{ ...F ... { __schema { description } } } fragment F on Query { __schema { description } }", "more than 1"),
        ("query A { __schema { description } } query B { __schema { description } }", "more than 1 fields `__schema`"),
        ("{ __schema { " + " ".join(f"t{n}: types {{ ...F }}" for n in range(9)) + " } } " + FULL_TYPE, "may return"),
        ("{ " + " ".join(f'a{n}: __type(name: "Render") {{ name }}' for n in range(51)) + " }", "more than 50 aliases"),
    ],
)
def test_repeated_introspection_is_rejected(document: str, said: str) -> None:
    assert said in rejection(document)


def test_operations_that_introspect_are_found() -> None:
    documents = {
        "{ __schema { description } }": True,
        '{ ...F } fragment F on Query { __type(name: "Render") { name } }': True,
        "{ __typename renderLimits { __typename } }": False,
        "query A { renderLimits { fps } } query B { __schema { description } }": None,
    }
    for document, expected in documents.items():
        found = {name: operation.introspects for name, operation in measured(document).items()}
        assert found == ({"A": False, "B": True} if expected is None else {None: expected})


def test_a_fragments_cost_depends_on_where_it_is_spread() -> None:
    page = "fragment Page on RenderConnection { edges { cursor } }"
    twice = f"{{ renders(first: 3) {{ ...Page }} more: renders(first: 7) {{ ...Page }} }} {page}"
    assert cost(twice) == 2 * (READ_COST + 1) + 3 + 7


def test_a_list_without_first_counts_as_ten_items() -> None:
    problems = 'mutation { retryRender(renderId: "") { ... on InvalidAnimation { problems { field } } } }'
    with pytest.raises(AssertionError):  # retryRender has no such result, so the document is invalid
        measured(problems)
    assert measure(parse(problems), RENDERCAST, DEFAULTS)[None].cost == READ_COST + 1 + DEFAULT_LIST_SIZE


def test_operations_are_measured_separately_with_root_fields_in_fragments() -> None:
    counted = measured("""
        query A { renderLimits { fps } }
        mutation B { ...Two cancelRender(renderId: "3") { __typename } }
        fragment Two on Mutation {
          one: cancelRender(renderId: "1") { __typename } ... { two: cancelRender(renderId: "2") { __typename } } }
    """)
    assert {name: (operation.root_fields, operation.cost) for name, operation in counted.items()} == {
        "A": (1, READ_COST + 1),
        "B": (3, 3 * READ_COST),
    }


@pytest.mark.parametrize(
    ("document", "limits", "said"),
    [
        ("{ renders(first: 100) { edges { cursor } } }", {"max_query_cost": 125}, "may return more than 125 fields"),
        ("{ renders { edges { node { id } } } }", {"max_query_depth": 3}, "fields nested deeper than 3"),
        ("{ a { ...F } } fragment F on X { b { c } }", {"max_query_depth": 2}, "fields nested deeper than 2"),
        ("{ a b: a c: a }", {"max_query_aliases": 1}, "more than 1 aliases"),
        ("{ ...F ...F } fragment F on Query { a: b }", {"max_query_aliases": 1}, "more than 1 aliases"),
        ("{ a @x @y }", {"max_query_aliases": 1}, "more than 1 directives"),
        ("query @x { ...F @y } fragment F on Query { a }", {"max_query_aliases": 1}, "more than 1 directives"),
        ("query ($v: Int @x @y) { a }", {"max_query_aliases": 1}, "more than 1 directives"),
        ("{ ...F } fragment F on Query @x @y { a }", {"max_query_aliases": 1}, "more than 1 directives"),
        ("{ ... @x @y { a } }", {"max_query_aliases": 1}, "more than 1 directives"),
        ("query A { a } query B { a }", {"max_query_aliases": 1}, "more than 1 operations"),
        ("{ a b c d }", {"max_query_fields": 3}, "more than 3 fields"),
        ("{ a } fragment Unused on Query { b c d }", {"max_query_fields": 3}, "more than 3 fields"),
        (
            "query A { ...F } query B { ...F } fragment F on Query { a b }",
            {"max_query_fields": 5},
            "more than 5 fields",
        ),
        ("{ ...F } fragment F on Query { ...F ...G } fragment G on Query { ...F ...G }", {"max_query_fields": 3}, "3"),
        ("{" + "a " * 21 + "}", {"max_query_fields": 50}, "more than 200 pairs of fields"),
        (
            "{ ...F ...F } fragment F on X {" + "a " * 11 + "}",
            {"max_query_fields": 50},
            "more than 200 pairs of fields",
        ),
        ("{" + "x { a }" * 15 + "}", {"max_query_fields": 50}, "more than 200 pairs of fields"),
    ],
)
def test_a_document_over_a_limit_is_rejected_with_the_limit_and_a_remedy(
    document: str, limits: dict[str, int], said: str
) -> None:
    message = rejection(document, **limits)
    assert said in message
    assert "Request" in message


@pytest.mark.parametrize(
    "document", ["{ ...Unknown }", "{ a { ...F } } fragment F on X { ...F }", "{ ... on X { a } }", "{ }"]
)
def test_an_invalid_document_is_left_to_validation(document: str) -> None:
    assert measure(parse(document), RENDERCAST, DEFAULTS)[None].cost == 0


# Comparison with graphql-core: documents are executed with lists of maximum length, and the resolved fields counted.

FRAGMENTS = (("P", "Page"), ("T", "Thing"), ("N", "Named"), ("Q", "Query"))
LEAVES = {"Query": (), "Page": ("size",), "Thing": ("name", "words"), "Named": ("name",)}
BRANCHES = {
    "Query": (("one", "Thing"), ("many", "Thing"), ("any", "Named"), ("named", "Named"), ("page", "Page")),
    "Page": (("things", "Thing"),),
    "Thing": (("one", "Thing"), ("many", "Thing"), ("page", "Page")),
    "Named": (),
}
PAGES = {"page: page": 20, "p0: page(first: 0)": 0, "p2: page(first: 2)": 2, "p25: page(first: 25)": 25}


class Thing:
    """Any object of the example schema. `size` is its number of things if it is a page."""

    name = "thing"

    def __init__(self, size: int = 0) -> None:
        self.size = size

    def one(self, _info: Any) -> "Thing":
        return Thing()

    any = one

    def many(self, _info: Any) -> "list[Thing]":
        return [Thing() for _ in range(DEFAULT_LIST_SIZE)]

    named = many

    def words(self, _info: Any) -> list[str]:
        return ["word"] * DEFAULT_LIST_SIZE

    def page(self, _info: Any, first: int) -> "Thing":
        return Thing(first)

    def things(self, _info: Any) -> "list[Thing]":
        return [Thing() for _ in range(self.size)]


def resolved(document: str) -> int:
    """Return the number of fields resolved by executing the document."""
    count = 0

    def counting(resolve: Any, source: Any, info: Any, **arguments: Any) -> Any:
        nonlocal count
        count += not info.field_name.startswith("__")
        return resolve(source, info, **arguments)

    result = execute_sync(EXAMPLE, parse(document), Thing(), middleware=[counting], type_resolver=lambda *_: "Thing")
    assert result.errors is None
    return count


@st.composite
def selections(draw: st.DrawFn, parent: str, fragments: Sequence[tuple[str, str]], depth: int = 2) -> str:
    """Draw a selection on a type that spreads only the given fragments."""
    spreads = [f"...{name}" for name, type_ in fragments if type_ == parent or {type_, parent} == {"Thing", "Named"}]
    chosen = draw(st.lists(st.sampled_from(["__typename", *LEAVES[parent], *spreads]), min_size=1, max_size=3))
    if depth:
        for name, below in draw(st.lists(st.sampled_from(BRANCHES[parent] or [("...", parent)]), max_size=2)):
            field = draw(st.sampled_from(sorted(PAGES))) if name == "page" else name
            chosen.append(f"{field} {{ {draw(selections(below, fragments, depth - 1))} }}")
    return " ".join(chosen)


@st.composite
def documents(draw: st.DrawFn) -> str:
    """Draw a valid document in which each fragment spreads only later ones."""
    text = f"{{ {draw(selections('Query', FRAGMENTS))} }}"
    for number, (name, type_) in enumerate(FRAGMENTS, start=1):
        text += f" fragment {name} on {type_} {{ {draw(selections(type_, FRAGMENTS[number:], depth=1))} }}"
    return text


@pytest.mark.slow  # runs for long
@given(documents())
def test_no_documents_cost_is_lower_than_its_number_of_resolved_fields(document: str) -> None:
    operation = measure(parse(document), EXAMPLE, GENEROUS)[None]
    assert operation.cost >= resolved(document)
