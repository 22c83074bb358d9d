"""Errors as clients receive them: which are reported, and which are masked."""

import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from services.errors import StoreUnavailable
from services.models import QuotaWindow, Render
from services.ports import AddResult
from tests.support.api_client import GET, LIST, PROGRESS, PROPS, QUOTA_LEFT, START, Client, open_client
from tests.support.api_server import rewired, serve
from tests.support.api_site import Site
from tests.support.api_stream import Stream, open_stream
from tests.support.memory_store import MemoryStore

pytestmark = pytest.mark.asyncio(loop_scope="module")

UNKNOWN_ID = "01hzzzzzzzzzzzzzzzzzzzzzzz"
SECRET = "password=hunter2 at /var/lib/secret"  # noqa: S105  # must not be sent to clients


class CrashingStore(MemoryStore):
    """A store with a bug."""

    async def get(self, render_id: str, *, owner: str) -> Render | None:
        del render_id, owner
        raise RuntimeError(SECRET)

    async def add(self, render: Render, window: QuotaWindow, *, weight: float = 1.0) -> AddResult:
        del render, window, weight
        raise KeyError(SECRET)

    async def quota_used(self, window: QuotaWindow) -> int:
        del window
        raise StoreUnavailable(SECRET)


@asynccontextmanager
async def open_client_of(site: Site, store: MemoryStore) -> AsyncIterator[Client]:
    async with serve(rewired(site.services, store=store)) as url, open_client(url, user="unlucky") as client:
        yield client


async def test_an_internal_error_is_masked_with_an_id_that_is_in_the_log(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_client_of(site, CrashingStore()) as client:
        for document, variables in ((GET, {"id": UNKNOWN_ID}), (START, {"input": {"animationProps": PROPS}})):
            caplog.clear()
            answer = await client.post(document, **variables)
            (error,) = answer["errors"]
            assert error["extensions"]["code"] == "INTERNAL"
            assert re.fullmatch("[0-9a-f]{12}", error["extensions"]["id"])
            assert error["extensions"]["id"] in error["message"]
            assert "hunter2" not in str(answer)
            (record,) = (record for record in caplog.records if error["extensions"]["id"] in record.getMessage())
            assert record.levelno == logging.ERROR
            assert "hunter2" in caplog.text


async def test_an_internal_error_in_a_subscription_is_masked_too(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    async with open_client_of(site, CrashingStore()) as client, open_stream(client) as stream:
        await stream.subscribe(PROGRESS, id=UNKNOWN_ID)
        message = await stream.receive()
        (error,) = message["payload"]["errors"]
        assert error["extensions"]["code"] == "INTERNAL"
        assert error["extensions"]["id"] in error["message"]
        assert error["extensions"]["id"] in caplog.text
        assert "hunter2" not in str(message)
        assert (await stream.receive())["type"] == "complete"
        await stream.send(type="ping")
        assert await stream.receive() == {"type": "pong"}


async def test_an_unavailable_store_is_reported_without_details(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    store = MemoryStore()
    store.unavailable = True
    async with open_client_of(site, store) as client:
        for document, variables in (
            (GET, {"id": UNKNOWN_ID}),
            (LIST, {}),
            (QUOTA_LEFT, {}),
            (START, {"input": {"animationProps": PROPS}}),
        ):
            error = await client.error(document, **variables)
            assert error["extensions"] == {"code": "SERVICE_UNAVAILABLE"}
            assert error["message"] == "The service can't do this right now. Please try again later."
    assert "the store is unavailable" in caplog.text


async def test_invalid_input_is_reported_even_if_the_store_is_unavailable(site: Site) -> None:
    store = MemoryStore()
    store.unavailable = True
    async with open_client_of(site, store) as client:
        assert (await client.start(text=""))["__typename"] == "InvalidAnimation"


INVALID_DOCUMENTS = [
    "{",
    "{ nothing }",
    "{ renders }",
    "query ($x: Int!) { renderQuota { limit } }",
    "query ($x: Int!) { renders(first: $x) { edges { cursor } } }",
    "mutation { renderQuota }",
    "query { renderQuota { limit } } fragment Unused on Render { id }",
]


@pytest.mark.parametrize("document", INVALID_DOCUMENTS)
async def test_an_invalid_query_is_a_client_error_and_not_logged(
    ann: Client, caplog: pytest.LogCaptureFixture, document: str
) -> None:
    for _ in range(2):  # the second time from the cache
        answer = await ann.post(document)
        assert "data" not in answer
        assert [error["extensions"] for error in answer["errors"]] == [{"code": "BAD_USER_INPUT"}]
        assert answer["errors"][0]["locations"]
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize("document", INVALID_DOCUMENTS)
async def test_an_invalid_query_does_not_affect_other_operations_of_its_websocket(ann: Client, document: str) -> None:
    async with open_stream(ann) as stream:
        await stream.subscribe(document, "bad")
        errors = await errors_of_operation(stream)
        assert [error["extensions"] for error in errors] == [{"code": "BAD_USER_INPUT"}]
        await stream.subscribe(QUOTA_LEFT, "good")
        assert (await stream.next("good"))["remaining"] == 5


async def errors_of_operation(stream: Stream) -> list[dict[str, Any]]:
    """Return the errors of an operation: those of its only result, or those that prevented its execution."""
    message = await stream.receive()
    if message["type"] == "error":
        return list(message["payload"])
    assert message["payload"]["data"] is None
    assert (await stream.receive())["type"] == "complete"
    return list(message["payload"]["errors"])


async def test_a_request_without_a_query_is_rejected(ann: Client) -> None:
    bodies: list[dict[str, object]] = [{}, {"query": ""}, {"query": None}, {"variables": {}}]
    for body in bodies:
        assert (await ann.http.post("/graphql", json=body)).status_code == 400


async def test_subscribing_to_an_unknown_render_returns_not_found(ann: Client, bob: Client) -> None:
    anns = await ann.start_render()
    async with open_stream(bob) as stream:
        for render_id in (anns, UNKNOWN_ID, "", "\ud800", "x" * 10_000, "\x00"):
            await stream.subscribe(PROGRESS, id=render_id)
            errors = await errors_of_operation(stream)
            assert [(error["message"], error["extensions"]) for error in errors] == [
                ("Render not found", {"code": "NOT_FOUND"})
            ]
