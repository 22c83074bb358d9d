"""A result that wasn't executed is the one that graphql-core makes, for whatever is asked of whatever render."""

import gc
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from graphql import (
    Executor,
    GraphQLInterfaceType,
    GraphQLObjectType,
    get_named_type,
    parse,
    validate,
)
from hypothesis import event, given, settings
from hypothesis import strategies as st
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from resolvers.execution.executor import BoundedExecutor, Done
from resolvers.execution.projection import Projections, Result
from resolvers.schema import build_schema
from schema.render import Render
from services import models
from services.json_text import write_json
from services.models import Failure, Output, RenderPhase, RenderStatus, replace
from services.realtime.broadcast import ListenerBroadcast
from services.realtime.pubsub import PubSub
from services.renders.service import RenderService
from services.runtime.services import compose
from services.settings import default_settings
from tests.conftest import PROPS
from tests.support.fake_backend import FakeBackend
from tests.support.fake_clock import START_OF_TIME, FakeClock, settle
from tests.support.memory_store import MemoryStore

SCHEMA = build_schema()
CORE = SCHEMA.core_schema
TYPES = {name: type_ for name, type_ in CORE.type_map.items() if name in {"Render", "RenderError", "AnimationProps"}}
CONDITIONS = ("", "@include(if: true)", "@skip(if: true)", "@include(if: $yes)", "@skip(if: $no)", "@skip(if: $yes)")
VARIABLES = {"id": "x", "yes": True, "no": False}


@dataclass
class Writer:
    """Writes a document as chance has it, one that is valid."""

    draw: Any
    fragments: list[str] = field(default_factory=list)
    names: Iterator[int] = field(default_factory=itertools.count)

    def document(self) -> str:
        alias = self.draw(st.sampled_from(["", "watched: "]))
        selection = self.selection("Render", depth=3)
        root, variable = self.draw(
            st.sampled_from([("renderProgress(renderId: $id)", "$id: ID!, "), ("renderUpdates", "")])
        )
        body = f"{alias}{root} {selection.replace('{', '{ both: __typename @include(if: $yes) @skip(if: $no) ', 1)}"
        if self.draw(st.booleans()):
            body = f"... on Subscription {{ {body} }}"
        text = f"subscription Watch({variable}$yes: Boolean!, $no: Boolean! = false) {{ {body} }}"
        return "\n".join([text, *self.fragments])

    def selection(self, type_name: str, *, depth: int) -> str:
        parts = [self.part(type_name, depth) for _ in range(self.draw(st.integers(1, 5)))]
        return "{ __typename " + " ".join(parts) + " }"

    def part(self, type_name: str, depth: int) -> str:
        kind = self.draw(st.sampled_from(["field"] * 6 + ["inline", "spread"] if depth else ["field"]))
        condition = self.draw(st.sampled_from(CONDITIONS))
        if kind == "field":
            return self.field(type_name, depth, condition)
        on = self.draw(st.sampled_from([type_name, "Node"] if type_name == "Render" else [type_name]))
        inner = self.selection(on, depth=depth - 1)
        if kind == "inline":
            return f"... {'on ' + on if on == 'Node' or self.draw(st.booleans()) else ''} {condition} {inner}"
        name = f"F{next(self.names)}"
        self.fragments.append(f"fragment {name} on {on} {inner}")
        return f"...{name} {condition}"

    def field(self, type_name: str, depth: int, condition: str) -> str:
        type_ = CORE.type_map[type_name]
        assert isinstance(type_, GraphQLObjectType | GraphQLInterfaceType)
        often = ["queuePosition"] * 3 if type_name == "Render" else []
        name = self.draw(st.sampled_from([*type_.fields, "__typename", *often]))
        alias = f"{self.draw(st.sampled_from('abc'))}_{name}: " if self.draw(st.booleans()) else ""
        inner = ""
        if name != "__typename" and get_named_type(type_.fields[name].type).name in TYPES:
            inner = self.selection(get_named_type(type_.fields[name].type).name, depth=max(0, depth - 1))
        return f"{alias}{name} {condition} {inner}"


TEXTS = st.text(max_size=20) | st.sampled_from(['"\\\n\t', "\u2028é漢🎬", "\ud83c", "</script>"])
TIMES = st.datetimes(datetime(1990, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
RENDERS = st.builds(
    models.Render,
    id=TEXTS,
    owner=TEXTS,
    props=st.builds(replace, st.just(PROPS), text=TEXTS, background_color=st.none() | TEXTS, font_size=st.floats()),
    created_at=TIMES,
    revision=st.integers(0, 2**33),
    status=st.sampled_from(RenderStatus),
    phase=st.none() | st.sampled_from(RenderPhase),
    progress=st.integers(0, 100),
    frames_rendered=st.integers(0, 600),
    estimated_completion_at=st.none() | TIMES,
    generation_id=st.none() | TEXTS,
    attempt=st.integers(0, 9),
    cancel_requested=st.booleans(),
    backend_render_id=st.none() | TEXTS,
    warnings=st.lists(TEXTS, max_size=3).map(tuple),
    failure=st.none() | st.builds(Failure, code=TEXTS, message=TEXTS, retryable=st.booleans()),
    output=st.none() | st.builds(Output, bucket=TEXTS, key=TEXTS, size_bytes=st.integers(0, 2**60)),
    cost_usd=st.none() | st.floats(),
    started_at=st.none() | TIMES,
    completed_at=st.none() | TIMES,
)


def service() -> RenderService:
    clock = FakeClock()
    made = compose(
        default_settings(),
        clock=clock,
        store=MemoryStore(clock),
        pubsub=PubSub(ListenerBroadcast("memory://")),
        backend=FakeBackend(),
        with_worker=False,
    )
    return made.renders


def executor_of(text: str, variables: dict[str, object] | None = None) -> Executor[Any]:
    document = parse(text)
    assert validate(CORE, document) == []
    built = SCHEMA.execution_context_class.build(
        CORE, document, raw_variable_values=VARIABLES if variables is None else variables
    )
    assert isinstance(built, Executor), built
    return built


async def executed(executor: Executor[Any], event: Render) -> Any:
    executes = executor._event if isinstance(executor, BoundedExecutor) else executor.build_per_event_executor
    done = executes(event).execute_operation(serially=False)
    return await done if executor.is_awaitable(done) else done


async def executed_by_core(text: str, event: Render) -> Any:
    """Return what graphql-core makes of it, without anything of ours."""
    core = StrawberryGraphQLCoreExecutionContext.build(CORE, parse(text), raw_variable_values=VARIABLES)
    assert isinstance(core, Executor)
    return await executed(core, event)


def in_order(value: object) -> str:
    """Return what tells apart all that JSON tells apart, and the order of its members."""
    return json.dumps(value)


@settings(max_examples=200, deadline=None)
@given(data=st.data(), state=RENDERS)
async def test_it_is_what_graphql_core_makes_of_the_same(data: st.DataObject, state: models.Render) -> None:
    text = Writer(data.draw).document()
    executor, renders = executor_of(text), service()
    projection = Projections(CORE).of(executor)
    assert projection is not None
    expected = await executed_by_core(text, Render.from_model(state, renders))
    result = projection.result(Render.from_model(state, renders))
    assert projection.encode(renders, state) == (None if result is None else result.text)
    event("executed" if result is None else "projected")
    if result is None:  # as it should be only if something can't be told or must be waited for
        assert expected.errors or (state.status is RenderStatus.QUEUED and "queuePosition" in text)
    else:
        assert expected.errors is None
        assert in_order(result) == in_order(expected.data)
        assert json.loads(result.text) == json.loads(write_json(expected.data))


@settings(max_examples=100, deadline=None)
@given(data=st.data(), state=RENDERS)
async def test_what_is_executed_without_a_projection_is_the_same_too(data: st.DataObject, state: models.Render) -> None:
    text, renders = Writer(data.draw).document(), service()
    expected = await executed_by_core(text, Render.from_model(state, renders))
    executor = executor_of(text)
    assert isinstance(executor, BoundedExecutor)
    for _ in range(2):  # the second event finds what the first has kept
        result = await executed(executor, Render.from_model(state, renders))
        assert in_order(result.data) == in_order(expected.data)
        assert sorted(map(str, result.errors or ())) == sorted(map(str, expected.errors or ()))
        told = executor._tell(renders, state)
        event("left" if told is None else "told")
        if told is None:  # as it should be only if something can't be told or must be waited for
            assert expected.errors or (state.status is RenderStatus.QUEUED and "queuePosition" in text)
        else:
            assert expected.errors is None
            assert json.loads(told) == json.loads(write_json(expected.data))


ALL = "subscription ($id: ID!) { renderProgress(renderId: $id) { id progress outputUrl } }"


async def test_the_same_state_is_told_by_the_same_result_to_all_who_ask_the_same() -> None:
    projections, renders = Projections(CORE), service()
    state = models.Render(id="x", owner="ann", props=PROPS, created_at=START_OF_TIME)
    mine, yours = (projections.of(executor_of(text)) for text in (ALL, f"# mine\n{ALL.replace(' id ', ' id, ')}"))
    assert mine is not None
    assert mine is yours
    first = mine.result(Render.from_model(state, renders))
    assert isinstance(first, Result)
    assert first is mine.result(Render.from_model(state, renders))
    assert first.text is mine.encode(renders, state)
    newer = mine.encode(renders, newest := replace(state, progress=7, revision=2))
    assert newer is not None
    assert newer is mine.encode(renders, newest)
    assert json.loads(newer) == {"renderProgress": {"id": "x", "progress": 7, "outputUrl": None}}
    other = projections.of(executor_of(ALL.replace("progress outputUrl", "outputUrl progress")))
    assert other is not mine  # another order is another text


async def test_it_is_gone_with_the_last_that_uses_it() -> None:
    projections = Projections(CORE)
    mine, yours = projections.of(executor_of(ALL)), projections.of(executor_of(ALL))
    del mine
    assert len(projections._of_shape) == 1
    del yours
    gc.collect()
    assert len(projections._of_shape) == 0


async def test_what_changes_by_variables_is_not_taken_for_the_same() -> None:
    text = ALL.replace("($id: ID!)", "($id: ID!, $all: Boolean!)").replace("outputUrl", "@include(if: $all)")
    projections = Projections(CORE)
    some, all_ = (projections.of(executor_of(text, {"id": "x", "all": given})) for given in (False, True))
    state = models.Render(id="x", owner="ann", props=PROPS, created_at=START_OF_TIME)
    assert some is not None
    assert all_ is not None
    assert [it.result(Render.from_model(state, service())) for it in (some, all_)] == [
        {"renderProgress": {"id": "x"}},
        {"renderProgress": {"id": "x", "progress": 0}},
    ]


async def test_a_place_in_the_queue_is_counted_and_nothing_else_is_waited_for() -> None:
    executor = executor_of("subscription ($id: ID!) { renderProgress(renderId: $id) { queuePosition status } }")
    projection = Projections(CORE).of(executor)
    assert projection is not None
    state = models.Render(id="x", owner="ann", props=PROPS, created_at=START_OF_TIME, status=RenderStatus.RENDERING)
    assert projection.result(Render.from_model(state, service())) == {
        "renderProgress": {"queuePosition": None, "status": "RENDERING"}
    }
    queued = Render.from_model(replace(state, status=RenderStatus.QUEUED), service())
    assert projection.result(queued) is None
    assert (await executed(executor, queued)).data == {"renderProgress": {"queuePosition": 1, "status": "QUEUED"}}


@pytest.mark.parametrize("projections", [True, False])
async def test_it_can_be_switched_off(*, projections: bool) -> None:
    schema = build_schema(default_settings(projections=projections).graphql)
    executor = schema.execution_context_class.build(schema.core_schema, parse(ALL), raw_variable_values={"id": "x"})
    assert isinstance(executor, BoundedExecutor)
    state = models.Render(id="x", owner="ann", props=PROPS, created_at=START_OF_TIME)
    event = executor.build_per_event_executor(Render.from_model(state, service()))
    assert isinstance(event, Done) is projections
    assert event.execute_operation().data == {"renderProgress": {"id": "x", "progress": 0, "outputUrl": None}}


@pytest.mark.parametrize("changes", [{"revision": 2**31}, {"status": RenderStatus.QUEUED}])
async def test_what_is_wrong_or_must_be_waited_for_is_not_told_at_once(changes: dict[str, Any]) -> None:
    executor = executor_of("subscription ($id: ID!) { renderProgress(renderId: $id) { queuePosition revision } }")
    assert isinstance(executor, BoundedExecutor)
    state = models.Render(id="x", owner="ann", props=PROPS, created_at=START_OF_TIME, status=RenderStatus.RENDERING)
    assert executor._tell(service(), state) == b'{"renderProgress":{"queuePosition":null,"revision":1}}'
    assert executor._tell(service(), replace(state, **changes)) is None
    await settle()
