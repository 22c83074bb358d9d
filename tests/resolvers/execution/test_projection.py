"""Results of projections and shortcuts equal graphql-core's, for random documents and renders."""

import gc
import json
from typing import Any

import pytest
from graphql import Executor, parse, validate
from hypothesis import event, given, settings
from hypothesis import strategies as st
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from resolvers.execution.executor import BoundedExecutor, ProjectedEvent
from resolvers.execution.projection import EventObject, Projections, Result
from resolvers.json_text import write_json
from resolvers.render_loader import RenderServiceLoader
from resolvers.schema import build_schema
from schema.render import Render
from schema.render_change import RenderChange
from services import models
from services.models import Output, RenderStatus, replace
from services.realtime.broadcast import ListenerBroadcast
from services.realtime.pubsub import PubSub
from services.runtime.services import compose
from services.settings import default_settings
from tests.conftest import PROPS
from tests.resolvers.execution.random_subscriptions import CORE, RENDERS, SCHEMA, VARIABLES, Writer
from tests.support.fake_backend import FakeBackend
from tests.support.fake_clock import START_OF_TIME, FakeClock, settle
from tests.support.memory_store import MemoryStore


def new_loader() -> RenderServiceLoader:
    clock = FakeClock()
    composed = compose(
        default_settings(),
        clock=clock,
        store=MemoryStore(clock),
        pubsub=PubSub(ListenerBroadcast("memory://")),
        backend=FakeBackend(),
        with_worker=False,
    )
    return RenderServiceLoader(composed.renders)


def executor_of(text: str, variables: dict[str, object] | None = None) -> Executor[Any]:
    document = parse(text)
    assert validate(CORE, document) == []
    built = SCHEMA.execution_context_class.build(
        CORE, document, raw_variable_values=VARIABLES if variables is None else variables
    )
    assert isinstance(built, Executor), built
    return built


async def executed(executor: Executor[Any], event: EventObject) -> Any:
    executes = executor._event if isinstance(executor, BoundedExecutor) else executor.build_per_event_executor
    done = executes(event).execute_operation(serially=False)
    return await done if executor.is_awaitable(done) else done


async def executed_by_core(text: str, event: EventObject) -> Any:
    """Return graphql-core's own result, without the executor of this project."""
    core = StrawberryGraphQLCoreExecutionContext.build(CORE, parse(text), raw_variable_values=VARIABLES)
    assert isinstance(core, Executor)
    return await executed(core, event)


def in_order(value: object) -> str:
    """Return the value as JSON, which preserves the order of members, for comparison."""
    return json.dumps(value)


@pytest.mark.slow
@settings(max_examples=200)
@given(data=st.data(), state=RENDERS)
async def test_a_projected_result_equals_that_of_graphql_core(data: st.DataObject, state: models.Render) -> None:
    text = Writer(data.draw).document()
    executor, loader = executor_of(text), new_loader()
    projection = Projections(CORE).of(executor)
    assert projection is not None
    assert isinstance(executor, BoundedExecutor)
    expected = await executed_by_core(text, executor.event_class.from_model(state, loader))
    result = projection.result(executor.event_class.from_model(state, loader))
    assert projection.encode(loader, state) == (None if result is None else result.text)
    event("executed" if result is None else "projected")
    if result is None:  # expected only for errors, and for values that must be awaited
        assert expected.errors or (state.status is RenderStatus.QUEUED and "queuePosition" in text)
    else:
        assert expected.errors is None
        assert in_order(result) == in_order(expected.data)
        assert in_order(json.loads(result.text)) == in_order(json.loads(write_json(expected.data)))


@pytest.mark.slow  # runs for long
@settings(max_examples=100)
@given(data=st.data(), state=RENDERS)
async def test_an_executed_result_equals_that_of_graphql_core(data: st.DataObject, state: models.Render) -> None:
    text, loader = Writer(data.draw).document(), new_loader()
    executor = executor_of(text)
    assert isinstance(executor, BoundedExecutor)
    expected = await executed_by_core(text, executor.event_class.from_model(state, loader))
    for _ in range(2):  # the second event uses the cached fields of the first
        result = await executed(executor, executor.event_class.from_model(state, loader))
        assert in_order(result.data) == in_order(expected.data)
        assert sorted(map(str, result.errors or ())) == sorted(map(str, expected.errors or ()))
        encoded = executor.encode(loader, state)
        event("not encoded" if encoded is None else "encoded")
        if encoded is None:  # expected only for errors, and for values that may have to be awaited
            assert expected.errors or state.status is RenderStatus.QUEUED
        else:
            assert expected.errors is None
            assert in_order(json.loads(encoded)) == in_order(json.loads(write_json(expected.data)))


ALL = "subscription ($id: ID!) { renderProgress(renderId: $id) { id progress outputUrl } }"


async def test_equal_selections_share_one_projection_and_its_result() -> None:
    projections, loader = Projections(CORE), new_loader()
    state = models.Render(id="x", owner="ann", props=PROPS, created_at=START_OF_TIME)
    mine, yours = (projections.of(executor_of(text)) for text in (ALL, f"# mine\n{ALL.replace(' id ', ' id, ')}"))
    assert mine is not None
    assert mine is yours
    first = mine.result(Render.from_model(state, loader))
    assert isinstance(first, Result)
    assert first is mine.result(Render.from_model(state, loader))
    assert first.text is mine.encode(loader, state)
    newer = mine.encode(loader, newest := replace(state, progress=7, revision=2))
    assert newer is not None
    assert newer is mine.encode(loader, newest)
    assert json.loads(newer) == {"renderProgress": {"id": "x", "progress": 7, "outputUrl": None}}
    other = projections.of(executor_of(ALL.replace("progress outputUrl", "outputUrl progress")))
    assert other is not mine  # another order of fields is another JSON text


async def test_the_result_of_a_deletion_equals_that_of_graphql_core() -> None:
    text = "subscription { renderChanges { deletedRenderId render { id queuePosition } } }"
    projection, loader = Projections(CORE).of(executor_of(text)), new_loader()
    assert projection is not None
    state = models.Render(id="x", owner="ann", props=PROPS, created_at=START_OF_TIME, status=RenderStatus.FAILED)
    for model, data in (
        (models.DeletedRender(id="x"), {"deletedRenderId": "x", "render": None}),
        (state, {"deletedRenderId": None, "render": {"id": "x", "queuePosition": None}}),
    ):
        event = RenderChange.from_model(model, loader)
        assert projection.result(event) == (await executed_by_core(text, event)).data == {"renderChanges": data}


async def test_fields_with_other_arguments_are_other_values() -> None:
    text = """
        subscription ($id: ID!, $as_attachment: Boolean! = true) {
          renderProgress(renderId: $id) {
            shown: outputUrl again: outputUrl(download: false) saved: outputUrl(download: true)
            asked: outputUrl(download: $as_attachment) outputUrl
          }
        }
    """
    projections, loader = Projections(CORE), new_loader()
    output = Output(bucket="b", key="k.mp4", size_bytes=1)
    state = models.Render(id="x", owner="ann", props=PROPS, created_at=START_OF_TIME, output=output)
    shown, saved = "https://videos.example/k.mp4", "https://videos.example/k.mp4?download=TextAnimation-x.mp4"
    made = {
        as_attachment: projections.of(executor_of(text, {"id": "x", "as_attachment": as_attachment}))
        for as_attachment in (True, False)
    }
    for as_attachment, projection in made.items():
        assert projection is not None
        result = projection.result(Render.from_model(state, loader))
        asked = saved if as_attachment else shown
        expected = {"shown": shown, "again": shown, "saved": saved, "asked": asked, "outputUrl": shown}
        assert result == {"renderProgress": expected}
    assert projections.of(executor_of(text, {"id": "y", "as_attachment": False})) is made[False]


@pytest.mark.parametrize("given", [{}, {"as_attachment": None}])
async def test_an_argument_without_a_value_is_the_default_or_an_error_as_in_graphql_core(given: dict[str, Any]) -> None:
    text = "subscription ($as_attachment: Boolean) { renderUpdates { id outputUrl(download: $as_attachment) } }"
    executor = executor_of(text, given)
    projection = Projections(CORE).of(executor)
    state = models.Render(id="x", owner="ann", props=PROPS, created_at=START_OF_TIME)
    result = await executed(executor, event := Render.from_model(state, new_loader()))
    assert result.data == {"renderUpdates": {"id": "x", "outputUrl": None}}
    if given:
        assert projection is None
        assert len(result.errors) == 1
    else:
        assert projection is not None
        assert projection.result(event) == result.data


async def test_a_projection_is_freed_with_its_last_user() -> None:
    projections = Projections(CORE)
    mine, yours = projections.of(executor_of(ALL)), projections.of(executor_of(ALL))
    del mine
    assert len(projections._by_shape) == 1
    del yours
    gc.collect()
    assert len(projections._by_shape) == 0


async def test_other_variables_are_another_projection() -> None:
    text = ALL.replace("($id: ID!)", "($id: ID!, $all: Boolean!)").replace("outputUrl", "@include(if: $all)")
    projections = Projections(CORE)
    some, all_ = (projections.of(executor_of(text, {"id": "x", "all": given})) for given in (False, True))
    state = models.Render(id="x", owner="ann", props=PROPS, created_at=START_OF_TIME)
    assert some is not None
    assert all_ is not None
    assert [it.result(Render.from_model(state, new_loader())) for it in (some, all_)] == [
        {"renderProgress": {"id": "x"}},
        {"renderProgress": {"id": "x", "progress": 0}},
    ]


async def test_a_projection_makes_all_results_except_those_with_a_queue_position() -> None:
    executor = executor_of("subscription ($id: ID!) { renderProgress(renderId: $id) { queuePosition status } }")
    projection = Projections(CORE).of(executor)
    assert projection is not None
    state = models.Render(id="x", owner="ann", props=PROPS, created_at=START_OF_TIME, status=RenderStatus.RENDERING)
    assert projection.result(Render.from_model(state, new_loader())) == {
        "renderProgress": {"queuePosition": None, "status": "RENDERING"}
    }
    queued = Render.from_model(replace(state, status=RenderStatus.QUEUED), new_loader())
    assert projection.result(queued) is None
    assert (await executed(executor, queued)).data == {"renderProgress": {"queuePosition": 1, "status": "QUEUED"}}


@pytest.mark.parametrize("projections", [True, False])
async def test_projections_can_be_disabled(*, projections: bool) -> None:
    schema = build_schema(default_settings(projections=projections).graphql)
    executor = schema.execution_context_class.build(schema.core_schema, parse(ALL), raw_variable_values={"id": "x"})
    assert isinstance(executor, BoundedExecutor)
    state = models.Render(id="x", owner="ann", props=PROPS, created_at=START_OF_TIME)
    event = executor.build_per_event_executor(Render.from_model(state, new_loader()))
    assert isinstance(event, ProjectedEvent) is projections
    assert event.execute_operation().data == {"renderProgress": {"id": "x", "progress": 0, "outputUrl": None}}


@pytest.mark.parametrize("changes", [{"revision": 2**31}, {"status": RenderStatus.QUEUED}])
async def test_results_with_errors_or_awaited_values_are_not_encoded(changes: dict[str, Any]) -> None:
    executor = executor_of("subscription ($id: ID!) { renderProgress(renderId: $id) { queuePosition revision } }")
    assert isinstance(executor, BoundedExecutor)
    state = models.Render(id="x", owner="ann", props=PROPS, created_at=START_OF_TIME, status=RenderStatus.RENDERING)
    assert executor.encode(new_loader(), state) == b'{"renderProgress":{"queuePosition":null,"revision":1}}'
    assert executor.encode(new_loader(), replace(state, **changes)) is None
    await settle()
