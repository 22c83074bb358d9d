"""Subscriptions that start without graphql-core have the same results and errors as those that it starts."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import pytest
from graphql import GraphQLError
from hypothesis import event, given, reject, settings
from hypothesis import strategies as st

from resolvers.admission.documents import DocumentRejected
from resolvers.compiled_subscriptions import CompiledSubscription
from resolvers.context import Context
from resolvers.execution.fast_path import Framing
from resolvers.execution.projection import Result
from resolvers.schema import RendercastSchema, build_schema
from schema.render import Render
from schema.render_change import RenderChange
from services import models
from services.models import Caller, Identity
from services.realtime.broadcast import ListenerBroadcast
from services.realtime.pubsub import PubSub
from services.renders.requests import StartRequest
from services.runtime.adapters import open_embedded
from services.runtime.services import Services, compose
from services.settings import default_settings, load_settings
from tests.conftest import PROPS
from tests.resolvers.execution.random_subscriptions import RENDERS, SCHEMA, Writer
from tests.resolvers.execution.test_projection import executed_by_core, in_order
from tests.support.fake_backend import FakeBackend
from tests.support.fake_clock import FakeClock, settle
from tests.support.memory_store import MemoryStore
from transport.live_subscription import LiveSubscription
from transport.operation_request import OperationRequest
from transport.operations import OperationRunner

ANN = Identity(caller=Caller(id="ann"))
PROGRESS = "subscription ($id: ID!) { renderProgress(renderId: $id) { id status progress queuePosition } }"
MISSING_ID = "0192b3c4-0000-7000-8000-000000000000"


def compiled(
    text: str, variables: dict[str, Any], context: Context, *, schema: RendercastSchema = SCHEMA
) -> CompiledSubscription | None:
    try:
        schema.documents.accept(text)
    except DocumentRejected:  # too large
        reject()
    return schema.compiled_subscription(text, None, variables, context)


def composed() -> Services:
    clock = FakeClock()
    return compose(
        default_settings(),
        clock=clock,
        store=MemoryStore(clock),
        pubsub=PubSub(ListenerBroadcast("memory://")),
        backend=FakeBackend(),
        with_worker=False,
    )


@pytest.mark.slow
@settings(max_examples=60)
@given(data=st.data(), state=RENDERS)
async def test_results_equal_those_of_graphql_core(data: st.DataObject, state: models.Render) -> None:
    text = Writer(data.draw).document().replace("$yes: Boolean!, $no: Boolean! = false", "").replace("()", "")
    text = text.replace("$yes", "true").replace("$no", "false")
    context = Context(services=composed(), identity=ANN)
    subscription = compiled(text, {"id": "x"}, context)
    assert subscription is not None
    source = RenderChange if "renderChanges" in text else Render
    expected = await executed_by_core(text, source.from_model(state, context.render_loader))
    result = await subscription.result(state)
    event("projected" if isinstance(result, Result) else "executed")
    data_of, errors = (result, None) if isinstance(result, Result) else (result.data, result.errors)
    assert in_order(data_of) == in_order(expected.data)
    assert [error.path for error in errors or ()] == [error.path for error in expected.errors or ()]


class Sent:
    """A `ResultSender` that keeps the messages of an operation."""

    framing = Framing(b"", b"")

    def __init__(self) -> None:
        self.messages: list[object] = []

    async def send(self, message: bytes) -> None:
        self.messages.append(json.loads(message))

    async def fail(self, errors: Iterable[GraphQLError]) -> None:
        self.messages.append([error.formatted for error in errors])

    async def complete(self) -> None:
        self.messages.append("complete")


@pytest.fixture
async def services(tmp_path: Path) -> AsyncIterator[Services]:
    async with open_embedded(load_settings(data_dir=tmp_path, quota_limit=10)) as services:
        yield services


async def messages_of(services: Services, request: dict[str, Any], *, projections: bool) -> tuple[list[object], bool]:
    """Return what a subscription with this request sends, and whether it started without graphql-core."""
    schema = build_schema(default_settings(projections=projections).graphql)
    sent, runner = Sent(), OperationRunner(schema, max_result_bytes=10_000)
    context, given = Context(services=services, identity=ANN), OperationRequest.model_validate(request)
    await started(runner, given, context, sent)  # a new document always starts with graphql-core
    sent.messages.clear()
    is_live = await started(runner, given, context, sent)
    return sent.messages, is_live


async def started(runner: OperationRunner, request: OperationRequest, context: Context, sent: Sent) -> bool:
    """Start the subscription, wait for what it sends, and end it."""
    task = asyncio.create_task(runner.run(request, context, sent))
    while not sent.messages:
        await settle()
    await settle()
    live = task.result() if task.done() else None
    if isinstance(live, LiveSubscription):
        await live.close()
    task.cancel()
    await asyncio.wait([task])
    return live is not None


@pytest.mark.parametrize(
    ("request_", "starts_compiled"),
    [
        ({"query": PROGRESS, "variables": {"id": "{queued}"}}, True),
        ({"query": PROGRESS.replace("($id: ID!)", "").replace("$id", '"{queued}"')}, True),
        ({"query": "subscription { renderUpdates { id revision } }"}, True),
        ({"query": "subscription { renderChanges { deletedRenderId render { id } } }"}, True),
        ({"query": PROGRESS, "variables": {"id": "{cancelled}"}}, True),
        ({"query": PROGRESS, "variables": {"id": MISSING_ID}}, False),
        ({"query": PROGRESS, "variables": {"id": "no id"}}, False),
        ({"query": PROGRESS, "variables": {"id": 7}}, False),
        ({"query": PROGRESS, "variables": {"id": None}}, False),
        ({"query": PROGRESS, "variables": {}}, False),
        ({"query": PROGRESS, "variables": {"id": "{queued}"}, "operationName": "Other"}, False),
        (
            {
                "query": PROGRESS.replace("($id: ID!)", "($id: ID!, $all: Boolean!)").replace(
                    "status", "s: status @skip(if: $all)"
                ),
                "variables": {"id": "{queued}", "all": True},
            },
            False,
        ),
        ({"query": "{ renderLimits { fps } }"}, False),
    ],
)
async def test_messages_equal_those_of_graphql_core(
    services: Services, request_: dict[str, Any], *, starts_compiled: bool
) -> None:
    starts = services.renders.start
    queued = (await starts(ANN.caller, StartRequest(animation=PROPS))).render
    cancelled = (await starts(ANN.caller, StartRequest(animation=PROPS))).render
    await services.renders.cancel(ANN.caller, cancelled.id)
    given = json.loads(json.dumps(request_).replace("{queued}", queued.id).replace("{cancelled}", cancelled.id))
    expected, _ = await messages_of(services, given, projections=False)
    messages, is_compiled = await messages_of(services, given, projections=True)
    assert messages == expected
    assert is_compiled is starts_compiled
