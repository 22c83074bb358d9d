"""Requests that name a document by its identifier, over every transport."""

import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.support.api_client import Client, open_client
from tests.support.api_server import serve_faked
from tests.support.api_stream import open_stream
from tests.support.http_stream import EVENT_STREAM, MULTIPART

pytestmark = pytest.mark.asyncio(loop_scope="module")

FPS = "query Fps { renderLimits { fps } }"
HASH = hashlib.sha256(FPS.encode()).hexdigest()
OTHER = "{ renderLimits { maxDurationSeconds } }"
BY_ID = {"documentId": f"sha256:{HASH}"}
BY_EXTENSION = {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": HASH}}}
RESULT = {"data": {"renderLimits": {"fps": 30}}}
JSON_TYPES = ("application/json", "application/graphql-response+json")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def plain(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    """A client of a server without trusted documents."""
    async with serve_faked(tmp_path_factory.mktemp("data"), {}) as url, open_client(url, user="ann") as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def trusting(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    """A client of a server that executes only trusted documents."""
    folder: Path = tmp_path_factory.mktemp("data")
    (folder / "documents.json").write_text(json.dumps({HASH: FPS}))
    settings = {"trusted_documents": folder / "documents.json", "trusted_documents_only": True}
    async with serve_faked(folder, settings) as url, open_client(url, user="ann") as client:
        yield client


async def results(client: Client, request: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the result of a request over each transport: GET and POST, both streams, a WebSocket."""
    parameters = {name: value if isinstance(value, str) else json.dumps(value) for name, value in request.items()}
    found = []
    for media_type in JSON_TYPES:
        headers = {"Accept": media_type}
        got = await client.http.get("/graphql", params=parameters, headers=headers)
        posted = await client.http.post("/graphql", json=request, headers=headers)
        found += [got.json(), posted.json()]
        if "errors" not in posted.json() or posted.json()["errors"][0]["message"].startswith("PersistedQuery"):
            assert (got.status_code, posted.status_code) == (200, 200)
    events = await client.http.post("/graphql", json=request, headers={"Accept": EVENT_STREAM})
    found.append(json.loads(events.text.split("data: ")[1].partition("\n")[0]))
    parts = await client.http.post("/graphql", json=request, headers={"Accept": MULTIPART})
    found.append(json.loads(parts.text.split("\r\n\r\n")[1].partition("\r\n")[0])["payload"])
    async with open_stream(client) as stream:
        await stream.send(id="1", type="subscribe", payload=request)
        message = await stream.receive()
        found.append({"errors": message["payload"]} if message["type"] == "error" else message["payload"])
    return found


def codes(found: list[dict[str, Any]]) -> set[str]:
    return {error["extensions"]["code"] for result in found for error in result["errors"]}


@pytest.mark.parametrize("request_", [BY_ID, BY_EXTENSION])
async def test_without_trusted_documents_clients_must_send_the_text(plain: Client, request_: dict[str, Any]) -> None:
    found = await results(plain, request_)
    assert {error["message"] for result in found for error in result["errors"]} == {"PersistedQueryNotSupported"}
    assert codes(found) == {"PERSISTED_QUERY_NOT_SUPPORTED"}
    assert await results(plain, {"query": FPS, **BY_EXTENSION}) == [RESULT] * len(found)


@pytest.mark.parametrize("request_", [BY_ID, {"documentId": HASH}, BY_EXTENSION, {"query": FPS}])
async def test_a_trusted_document_is_executed(trusting: Client, request_: dict[str, Any]) -> None:
    found = await results(trusting, request_)
    assert found == [RESULT] * len(found)


@pytest.mark.parametrize("request_", [{"query": OTHER}, {"documentId": "unknown"}, {"query": OTHER, **BY_ID}])
async def test_another_document_is_rejected(trusting: Client, request_: dict[str, Any]) -> None:
    assert codes(await results(trusting, request_)) == {"DOCUMENT_NOT_TRUSTED"}


async def test_a_browser_that_names_a_document_gets_its_result_and_not_the_page(trusting: Client) -> None:
    headers = {"Accept": "text/html,*/*;q=0.8"}
    assert (await trusting.http.get("/graphql", params=BY_ID, headers=headers)).json() == RESULT
    page = await trusting.http.get("/graphql", headers=headers)
    assert page.headers["content-type"].startswith("text/html")
