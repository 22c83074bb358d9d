"""Results of compiled selections equal graphql-core's, for random queries and mutations."""

import json
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from itertools import product
from typing import Any

import pytest
import strawberry
from graphql import GraphQLError
from hypothesis import event, given, reject, settings
from hypothesis import strategies as st
from strawberry.schema.config import StrawberryConfig

from resolvers.admission.documents import DocumentRejected
from resolvers.context import Context
from resolvers.errors import to_client_error
from resolvers.execution.selections import MAX_VARIANTS, _count_fields
from resolvers.mutation import Mutation
from resolvers.query import Query
from resolvers.schema import build_schema
from schema.render import Render
from schema.scalars import SCALARS
from services import models
from services.models import Caller, Identity, replace
from services.realtime.pubsub import open_pubsub
from services.renders.fair_queue import QueuePlace
from services.runtime.services import compose
from services.settings import default_settings
from tests.conftest import PROPS
from tests.resolvers.execution.random_queries import ID, VARIABLES, OperationWriter
from tests.resolvers.execution.random_subscriptions import RENDERS
from tests.support.fake_backend import FakeBackend
from tests.support.fake_clock import START_OF_TIME, FakeClock
from tests.support.memory_store import MemoryStore, StoredRender

NEW_ID = re.compile(rf"(?!{ID})\b[0-7][0-9a-hjkmnp-tv-z]{{25}}\b")
RENDER = models.Render(id="x", owner="ann", props=PROPS, created_at=START_OF_TIME)
ANN = Identity(caller=Caller(id="ann"))
UNLIMITED = {"max_mutations_per_minute": 10**9, "max_query_cost": 10**9, "max_query_aliases": 10**9}
SCHEMA = build_schema(default_settings(**UNLIMITED).graphql)
# Strawberry's schema with graphql-core's executor, and nothing of this project but the types and resolvers.
PLAIN = strawberry.Schema(query=Query, mutation=Mutation, types=[Render], config=StrawberryConfig(scalar_map=SCALARS))


@asynccontextmanager
async def context_with(*renders: models.Render, store: MemoryStore | None = None) -> AsyncIterator[Context]:
    """Yield the context of an operation of Ann on services that contain these renders, which are hers."""
    clock = FakeClock()
    store = store or MemoryStore(clock)
    for number, render in enumerate(renders, 1):
        owned = replace(render, id=f"{ID}{number}", owner="ann", batch_id="batch")
        store._rows[owned.id] = StoredRender(owned, QueuePlace(order_key=number, finish_key=number))
    async with open_pubsub("memory://") as pubsub:
        services = compose(
            default_settings(),
            clock=clock,
            store=store,
            pubsub=pubsub,
            backend=FakeBackend(clock=clock),
            with_worker=False,
            catalogs=store.catalog,
        )
        yield Context(services=services, identity=ANN)


def comparable(data: object, errors: Iterable[GraphQLError]) -> str:
    """Return data and errors as JSON, which keeps their order, without what is random: new ids and those of errors."""
    formatted: list[Any] = [error.formatted for error in errors]
    for error in formatted:
        if "id" in error["extensions"]:
            error["message"] = error["extensions"]["id"] = ""
    return NEW_ID.sub("new", json.dumps([data, formatted], default=str))


async def executed_by_core(text: str, context: Context) -> str:
    result = await PLAIN.execute(text, variable_values=VARIABLES, context_value=context)
    return comparable(result.data, (to_client_error(error, suggestions=False) for error in result.errors or ()))


async def executed(text: str, context: Context) -> str:
    result = await SCHEMA.execute(text, variable_values=VARIABLES, context_value=context)
    return comparable(result.data, result.errors or ())


@pytest.mark.slow  # runs for long
@settings(max_examples=60)
@given(data=st.data(), states=st.lists(RENDERS, min_size=1, max_size=3))
async def test_results_equal_those_of_graphql_core(data: st.DataObject, states: list[models.Render]) -> None:
    kind = data.draw(st.sampled_from(["query", "query", "mutation"]))
    text = OperationWriter(data.draw).operation(kind, constant=data.draw(st.booleans()))
    try:
        SCHEMA.documents.accept(text)
    except DocumentRejected as rejected:
        event(str(rejected)[:20])
        reject()  # too large, or fields conflict
    async with context_with(*states) as context:
        expected = await executed_by_core(text, context)
    for _ in range(2):  # the second time with the readers of the first
        async with context_with(*states) as context:
            assert await executed(text, context) == expected
            if context.selections is not None:  # else the document is too large for the cache
                event(f"{len(context.selections._by_nodes)} and {len(context.selections._by_shape)} selections")


LIST = "{ renders { edges { cursor node { id output { format } } } totalCount pageInfo { hasNextPage } } }"


async def test_only_the_fields_that_await_are_executed_by_graphql_core() -> None:
    async with context_with(RENDER) as context:
        first = await SCHEMA.execute(LIST, context_value=context)
        is_compiled_at_once = context.selections is not None
        again = await SCHEMA.execute(LIST, context_value=context)
    assert not is_compiled_at_once
    assert again.data == first.data
    assert again.data is not None
    assert again.data["renders"]["totalCount"] == 1
    assert context.selections is not None
    compiled = {str(type_): reader is not None for (type_, _), reader in context.selections._by_nodes.items()}
    assert compiled == {"RenderConnection": False, "[RenderEdge!]": True, "PageInfo": True}


async def test_the_fields_that_a_variable_selects_are_returned() -> None:
    text = "query ($all: Boolean!) { renders { edges { node { id status @include(if: $all) } } } }"
    async with context_with(RENDER) as context:
        for selects_all in (True, True, False, True):
            result = await SCHEMA.execute(text, variable_values={"all": selects_all}, context_value=context)
            expected = {"id": f"{ID}1"} | ({"status": "QUEUED"} if selects_all else {})
            assert result.data == {"renders": {"edges": [{"node": expected}]}}


async def test_what_awaits_is_found_once_for_all_executions_with_the_same_variables() -> None:
    text = "query ($all: Boolean!) { renders { totalCount edges { node { id status @include(if: $all) } } } }"
    async with context_with(RENDER) as context:
        for _ in range(3):
            await SCHEMA.execute(text, variable_values={"all": True}, context_value=context)
    assert context.selections is not None
    compiled = {str(type_): reader is not None for (type_, _), reader in context.selections._by_shape.items()}
    assert compiled == {"RenderConnection": False, "[RenderEdge!]": True}


async def test_the_kept_selections_of_an_operation_are_limited_by_its_fields() -> None:
    names = "abcd"
    chosen = dict(zip(names, ("owner", "status", "progress", "attempt"), strict=True))
    conditional = " ".join(f"{field} @include(if: ${name})" for name, field in chosen.items())
    variables = ", ".join(f"${name}: Boolean!" for name in names)
    text = f"query ({variables}) {{ renders {{ edges {{ node {{ id {conditional} }} }} }} }}"
    async with context_with(RENDER) as context:
        for values in product((True, False), repeat=len(names)):
            selected = dict(zip(names, values, strict=True))
            result = await SCHEMA.execute(text, variable_values=selected, context_value=context)
            assert result.data is not None
            [edge] = result.data["renders"]["edges"]
            assert list(edge["node"]) == ["id", *(field for name, field in chosen.items() if selected[name])]
    assert context.selections is not None
    kept = [_count_fields(shape) for _, shape in context.selections._by_shape]
    assert 1 < len(kept) < 2 ** len(names)
    assert (
        sum(kept)
        == context.selections._kept_fields
        <= MAX_VARIANTS * SCHEMA.documents.accept(text).operation(None).fields
    )


async def test_selections_are_not_compiled_without_projections() -> None:
    schema = build_schema(default_settings(projections=False).graphql)
    async with context_with(RENDER) as context:
        for _ in range(2):
            result = await schema.execute(LIST, context_value=context)
            assert result.errors is None
        assert context.selections is None
