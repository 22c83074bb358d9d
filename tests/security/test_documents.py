"""Expensive documents against a running server: each is rejected, and leaves no memory behind."""

import asyncio
import gc
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from resolvers.admission.documents import DocumentCache
from resolvers.errors import MAX_MESSAGE_LENGTH
from services.clock import SystemClock
from services.models import Render
from services.runtime.adapters import open_embedded
from services.runtime.services import Services
from services.settings import load_settings
from tests.security.attacks import DOCUMENTS, VARIABLES, Attack, aliases
from tests.support.api_client import CANCEL, GET, LIST, PROPS, QUOTA_LEFT, START, UPDATES, Client, open_client
from tests.support.api_server import rewired, serve
from tests.support.api_stream import Stream, open_stream
from tests.support.fake_backend import FakeBackend
from tests.support.memory_store import MemoryStore

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

EXECUTION_TIMEOUT_S = 2.5  # longer than a busy machine takes for the operations that are not stuck
UNKNOWN_ID = "01hzzzzzzzzzzzzzzzzzzzzzzz"
TWO = "query A { renderLimits { fps } } query B { renderLimits { maxTextLength } }"
CANCEL_TWICE = f"""
mutation {{
  one: cancelRender(renderId: "{UNKNOWN_ID}") {{ __typename }}
  two: cancelRender(renderId: "{UNKNOWN_ID}") {{ __typename }}
}}
"""
TYPOS: list[tuple[str, Mapping[str, object]]] = [
    ("{ renderLimit { fps } }", {}),
    ("{ renderLimits }", {}),
    ("{ renderLimits { fsp } }", {}),
    ("{ renders(frist: 1) { edges { cursor } } }", {}),
    ("{ renders(filter: {statu: QUEUED}) { edges { cursor } } }", {}),
    ("{ renders(filter: {status: QUEUE}) { edges { cursor } } }", {}),
    ('{ renders(filter: {status: "QUEUED"}) { edges { cursor } } }', {}),
    ("{ renderLimits @skp(if: true) { fps } }", {}),
    ("{ renderLimits @skip(fi: true) { fps } }", {}),
    ("query ($s: RenderStatu) { renders(filter: {status: [$s]}) { edges { cursor } } }", {}),
    ("{ node(id: 1) { ... on Rendr { id } } }", {}),
    (f'{{ node(id: "{UNKNOWN_ID}") {{ status }} }}', {}),
    (LIST, {"filter": {"status": ["QUEUE"]}}),
    (LIST, {"filter": {"statu": ["QUEUED"]}}),
    (START, {"input": {"animationProps": {**PROPS, "style": "FADE_ON"}}}),
    (START, {"input": {"animationProps": {**PROPS, "colour": "red"}}}),
    (START, {"input": {"compositio": {"id": "Promo", "props": {}}}}),
    (START, {"input": {"composition": {"id": "Promo", "prop": {}}}}),
    (START, {"input": {"animationProps": PROPS, "output": {"vidoe": {}}}}),
    (START, {"input": {"animationProps": PROPS, "output": {"video": {"format": "H26"}}}}),
    ("{ compositions { outptus } }", {}),
]


class StuckStore(MemoryStore):
    """A store whose `get` and `queue_position` never return."""

    async def get(self, render_id: str, *, owner: str) -> Render | None:
        await asyncio.Event().wait()
        return await super().get(render_id, owner=owner)

    async def queue_position(self, render: Render) -> int:
        await asyncio.Event().wait()
        return await super().queue_position(render)


@asynccontextmanager
async def open_services(folder: Path, **settings: object) -> AsyncIterator[Services]:
    """Open services with the limits of `rendercast serve`."""
    given = {"data_dir": folder, "acquire_interval_s": 0.05, "introspection": False, **settings}
    async with open_embedded(load_settings(**given)) as services:
        yield services


@asynccontextmanager
async def open_user(services: Services, *, store: MemoryStore | None = None) -> AsyncIterator[Client]:
    backend = FakeBackend(capacity=0, poll_interval=timedelta(milliseconds=10))  # renders stay queued
    async with serve(rewired(services, store=store, backend=backend)) as url, open_client(url, user="ann") as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ann(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    async with open_services(tmp_path_factory.mktemp("data")) as services, open_user(services) as client:
        yield client


def cached_documents() -> tuple[int, int]:
    """Return the number and the size of all cached documents of this process."""
    gc.collect()  # the caches of other tests' servers
    caches = [thing for thing in gc.get_objects() if type(thing) is DocumentCache]
    return sum(map(len, caches)), sum(cache.size_bytes for cache in caches)


async def expect_success(client: Client) -> None:
    """Check that a normal query succeeds."""
    assert (await client.execute(QUOTA_LEFT))["remaining"] > 0


async def errors_of(stream: Stream, operation: str = "1") -> list[dict[str, Any]]:
    """Return the errors of the `error` message that ends an operation."""
    message = await stream.receive()
    assert (message["type"], message["id"]) == ("error", operation), message
    return list(message["payload"])


@pytest.mark.parametrize("attack", DOCUMENTS.values(), ids=DOCUMENTS)
async def test_an_expensive_document_is_rejected_and_not_cached(ann: Client, attack: Attack) -> None:
    await expect_success(ann)
    before = cached_documents()
    for _ in range(3):
        result = await ann.post(attack.text)
        assert result.get("data") is None
        expect_errors(result["errors"], attack)
        await expect_success(ann)
    assert cached_documents() == before


@pytest.mark.parametrize(
    "attack",
    [a for a in DOCUMENTS.values() if len(a.text) < 200_000],
    ids=[n for n, a in DOCUMENTS.items() if len(a.text) < 200_000],
)
async def test_over_a_websocket_an_expensive_document_ends_only_its_operation(ann: Client, attack: Attack) -> None:
    async with open_stream(ann) as stream:
        await stream.subscribe(UPDATES, "other")
        await stream.subscribe(attack.text)
        expect_errors(await errors_of(stream), attack)
        await stream.subscribe(QUOTA_LEFT)
        assert (await stream.next())["remaining"] > 0


def expect_errors(errors: list[dict[str, Any]], attack: Attack) -> None:
    assert errors[0]["extensions"]["code"] == attack.code
    assert attack.message in errors[0]["message"]
    assert len(errors) <= 11
    assert all(len(error["message"]) <= MAX_MESSAGE_LENGTH + 1 for error in errors)


@pytest.mark.parametrize("variables", VARIABLES.values(), ids=VARIABLES)
async def test_expensive_variables_are_rejected(ann: Client, variables: dict[str, object]) -> None:
    await ann.execute(LIST)
    before = cached_documents()
    error = await ann.error(LIST, **variables)
    assert error["extensions"] == {"code": "LIMIT_EXCEEDED"}
    assert re.search(r"3000 values|deeper than 15", error["message"])
    async with open_stream(ann) as stream:
        await stream.send(id="1", type="subscribe", payload={"query": LIST, "variables": variables})
        assert (await errors_of(stream))[0]["extensions"] == {"code": "LIMIT_EXCEEDED"}
    assert cached_documents() == before


async def test_an_invalid_variable_is_not_repeated_in_full(ann: Client) -> None:
    for status in ("x" * 50_000, ["y" * 50_000] * 4, [{"z": "z" * 50_000}]):
        result = await ann.post(LIST, filter={"status": status})
        assert {error["extensions"]["code"] for error in result["errors"]} == {"BAD_USER_INPUT"}
        assert all(len(error["message"]) <= MAX_MESSAGE_LENGTH + 1 for error in result["errors"])
        assert len(json.dumps(result)) < 100 * MAX_MESSAGE_LENGTH


async def test_one_of_several_operations_must_be_named(ann: Client) -> None:
    async def post(**body: object) -> Any:
        response = await ann.http.post("/graphql", json={"query": TWO, **body}, headers={"X-User": "ann"})
        return response.json()

    assert (await post(operationName="B"))["data"] == {"renderLimits": {"maxTextLength": 500}}
    for body, message in (
        ({}, "Must provide operation name"),
        ({"operationName": "C"}, 'Unknown operation named "C".'),
    ):
        result = await post(**body)
        assert result.get("data") is None
        assert message in result["errors"][0]["message"]
        assert result["errors"][0]["extensions"] == {"code": "BAD_USER_INPUT"}
    async with open_stream(ann) as stream:
        await stream.subscribe(TWO)
        assert "Must provide operation name" in (await errors_of(stream))[0]["message"]
        await stream.send(id="2", type="subscribe", payload={"query": TWO, "operationName": "C"})
        assert "Unknown operation" in (await errors_of(stream, "2"))[0]["message"]
        await stream.send(id="3", type="subscribe", payload={"query": TWO, "operationName": "A"})
        assert await stream.next("3") == {"fps": 30}


@pytest.mark.parametrize(("document", "variables"), TYPOS)
async def test_errors_contain_no_hints_about_the_schema(
    ann: Client, document: str, variables: Mapping[str, object]
) -> None:
    result = await ann.post(document, **variables)
    assert {error["extensions"]["code"] for error in result["errors"]} == {"BAD_USER_INPUT"}
    assert "Did you mean" not in str(result)


async def test_introspection_and_hints_are_for_development_only(ann: Client, tmp_path: Path) -> None:
    schema = "{ __schema { queryType { name } } }"
    for document in (schema, '{ __type(name: "Render") { name } }'):
        assert "introspection has been disabled" in (await ann.post(document))["errors"][0]["message"]
    assert await ann.execute("{ __typename }") == "Query"
    async with open_services(tmp_path, introspection=None) as services, open_user(services) as client:
        assert await client.execute(schema) == {"queryType": {"name": "Query"}}
        hints = [str(await client.post(document, **variables)) for document, variables in TYPOS]
        assert sum("Did you mean" in hint for hint in hints) > len(TYPOS) / 2


class SteppedClock(SystemClock):
    """A wall clock that is set forward or back."""

    step = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.step


@pytest.mark.parametrize("hours", [-1, 1])
async def test_the_rate_of_mutations_does_not_follow_the_wall_clock(tmp_path: Path, hours: int) -> None:
    clock = SteppedClock()
    async with open_services(tmp_path, max_mutations_per_minute=1) as services:
        server = rewired(services, backend=FakeBackend(capacity=0), clock=clock)
        async with serve(server) as url, open_client(url, user="ann") as ann:
            await ann.execute(CANCEL, id=UNKNOWN_ID)
            clock.step = timedelta(hours=hours)
            error = await ann.error(CANCEL, id=UNKNOWN_ID)
    assert re.search(r"Try again in [1-6]?\d seconds\.$", error["message"])


async def test_the_rate_of_mutations_is_limited_per_user(tmp_path: Path) -> None:
    async with open_services(tmp_path, max_mutations_per_minute=4) as services, open_user(services) as ann:
        assert (await ann.post(CANCEL_TWICE))["data"]
        for _ in range(2):
            assert (await ann.execute(CANCEL, id=UNKNOWN_ID))["__typename"] == "RenderNotFound"
        error = await ann.error(CANCEL, id=UNKNOWN_ID)
        assert error["extensions"] == {"code": "LIMIT_EXCEEDED"}
        assert re.fullmatch(r"You may run 4 mutations per minute\. Try again in \d+ seconds\.", error["message"])
        async with open_stream(ann) as stream:
            await stream.subscribe(CANCEL, id=UNKNOWN_ID)
            assert (await errors_of(stream))[0]["extensions"] == {"code": "LIMIT_EXCEEDED"}
            await stream.subscribe(QUOTA_LEFT)
            await stream.next()
        bob = Client(ann.http, user="bob")
        assert (await bob.execute(CANCEL, id=UNKNOWN_ID))["__typename"] == "RenderNotFound"
        assert (await Client(ann.http).error(CANCEL, id=UNKNOWN_ID))["extensions"] == {"code": "UNAUTHENTICATED"}


async def test_an_invalid_mutation_is_not_counted(tmp_path: Path) -> None:
    async with open_services(tmp_path, max_mutations_per_minute=1) as services, open_user(services) as ann:
        for _ in range(3):
            await ann.error("mutation { cancelRender { __typename } }")
            await ann.error(aliases(100).replace("{a0", "mutation {a0"))
        assert (await ann.execute(CANCEL, id=UNKNOWN_ID))["__typename"] == "RenderNotFound"


async def test_an_operation_that_takes_too_long_is_stopped_with_an_error(tmp_path: Path) -> None:
    async with (
        open_services(tmp_path, execution_timeout_s=EXECUTION_TIMEOUT_S) as services,
        open_user(services, store=StuckStore()) as ann,
    ):
        for document in (GET, CANCEL):
            error = await ann.error(document, id=UNKNOWN_ID)
            assert error["extensions"] == {"code": "TIMEOUT"}
            assert f"longer than {EXECUTION_TIMEOUT_S} seconds" in error["message"]
        assert await ann.execute("{ renderLimits { fps } }") == {"fps": 30}


async def test_an_event_that_takes_too_long_is_an_error_and_the_subscription_continues(tmp_path: Path) -> None:
    async with (
        open_services(tmp_path, execution_timeout_s=EXECUTION_TIMEOUT_S) as services,
        open_user(services, store=StuckStore()) as ann,
        open_stream(ann) as stream,
    ):
        await stream.subscribe("subscription { renderUpdates { id queuePosition } }")
        start = "mutation ($input: StartRenderInput!) { startRender(input: $input) { __typename } }"
        for _ in range(2):
            await ann.execute(start, input={"animationProps": PROPS})
            message = await stream.receive()
            assert message["type"] == "next"
            assert [error["extensions"] for error in message["payload"]["errors"]] == [{"code": "TIMEOUT"}]
        await stream.send(type="ping")
        assert await stream.receive() == {"type": "pong"}
