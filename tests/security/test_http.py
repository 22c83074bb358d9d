"""Malformed, oversized and unfinished HTTP requests, content negotiation, security headers and CORS."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import pytest_asyncio

from services.runtime.adapters import open_embedded
from services.settings import load_settings
from tests.support.api_client import PROPS, RETRY_S, START, TEST_TIMEOUT_S, Client, open_client
from tests.support.api_server import rewired, serve
from tests.support.fake_backend import FakeBackend

pytestmark = pytest.mark.asyncio(loop_scope="module")

ALLOWED_ORIGIN = "https://app.example"
QUERY = {"query": "{ renderLimits { fps } }"}
RESULT = {"data": {"renderLimits": {"fps": 30}}}
JSON = {"Content-Type": "application/json"}
REQUEST_TIMEOUT_S = 0.5
MAX_BODY = 512 * 1024


@asynccontextmanager
async def serving(folder: Path, **settings: object) -> AsyncIterator[str]:
    loaded = load_settings(data_dir=folder, allowed_origins=ALLOWED_ORIGIN, **settings)
    async with open_embedded(loaded) as services, serve(rewired(services, backend=FakeBackend())) as url:
        yield url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    async with serving(tmp_path_factory.mktemp("http")) as url:
        yield url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def short_timeout_url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The URL of a server with a short request timeout, which a slow machine may exceed."""
    async with serving(tmp_path_factory.mktemp("http"), request_timeout_s=REQUEST_TIMEOUT_S) as url:
        yield url


@pytest_asyncio.fixture(loop_scope="module")
async def ann(url: str) -> AsyncIterator[Client]:
    async with open_client(url, user="ann") as client:
        yield client
    async with open_client(url, user="ann") as client:  # not on a connection of the test
        assert (await client.http.post("/graphql", json=QUERY)).json() == RESULT


MALFORMED = {
    "nothing": b"",
    "an incomplete object": b'{"query": "{ __typename',
    "null": b"null",
    "true": b"true",
    "a number": b"7",
    "a string": b'"{ __typename }"',
    "a batch": json.dumps([QUERY, QUERY]).encode(),
    "no query": b'{"variables": {}}',
    "a query that is not a string": b'{"query": {}}',
    "variables that are not an object": b'{"query": "{ __typename }", "variables": []}',
    "an operation name that is not a string": b'{"query": "{ __typename }", "operationName": 1}',
    "extensions that are not an object": b'{"query": "{ __typename }", "extensions": "x"}',
    "bad UTF-8": b'{"query": "{ __typename }\xff"}',
    "half a surrogate": b'{"query": "{ __typename \\ud800 }"}',
    "deep": b'{"query": "{ __typename }", "variables": {"a": ' + b"[" * 10_000 + b"]" * 10_000 + b"}}",
    "a number of 5,000 digits": b'{"query": "{ __typename }", "variables": {"a": ' + b"9" * 5_000 + b"}}",
    "not a number": b'{"query": "{ __typename }", "variables": {"a": NaN}}',
}


@pytest.mark.parametrize("name", MALFORMED)
async def test_a_malformed_body_is_rejected_with_a_message(ann: Client, name: str) -> None:
    response = await ann.http.post("/graphql", content=MALFORMED[name], headers={**JSON, "X-User": "ann"})
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    body = response.json()
    if name in {"half a surrogate", "a number of 5,000 digits", "not a number"} and response.status_code == 200:
        return  # parsed, and harmless
    assert response.status_code == 400
    assert list(body) == ["errors"]
    assert body["errors"][0]["message"]
    assert body["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_a_body_that_is_too_large_is_rejected_by_its_length_header_and_by_its_size(ann: Client) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(256):
            yield b" " * MAX_BODY

    declared = await ann.http.post("/graphql", content=b" " * (MAX_BODY + 1), headers=JSON)
    assert declared.status_code == 413
    try:
        counted = await ann.http.post("/graphql", content=parts(), headers=JSON)
    except httpx.TransportError:
        return  # the server disconnected before all was sent
    assert counted.status_code == 413


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Type": "application/json; charset=utf-16"},
        {**JSON, "Content-Encoding": "gzip"},
        {**JSON, "Content-Encoding": "deflate"},
    ],
)
async def test_only_plain_json_is_executed(ann: Client, headers: dict[str, str]) -> None:
    bomb = gzip.compress(json.dumps({"query": START, "variables": {"input": {"animationProps": PROPS}}}).encode())
    body = bomb if "Content-Encoding" in headers else json.dumps(QUERY).encode()
    assert (await ann.http.post("/graphql", content=body, headers=headers)).status_code == 415


@pytest.mark.parametrize(
    ("name", "values", "status"),
    [
        ("Content-Type", ["text/plain", "application/json"], 415),
        ("Content-Type", ["application/json", "text/plain"], 415),
        ("Content-Encoding", ["gzip", "identity"], 415),
        ("Content-Encoding", ["identity", "gzip"], 415),
        ("Accept", ["application/json", "text/plain"], 200),
        ("Accept", ["text/plain", "application/json"], 200),
    ],
)
async def test_both_values_of_a_repeated_header_count(ann: Client, name: str, values: list[str], status: int) -> None:
    others = {} if name == "Content-Type" else JSON
    headers = httpx.Headers([*others.items(), *((name, value) for value in values)])
    response = await ann.http.post("/graphql", content=json.dumps(QUERY), headers=headers)
    assert response.status_code == status


async def test_a_get_executes_queries_only(ann: Client) -> None:
    mutation = "mutation { cancelRender(renderId: 1) { __typename } }"
    for accept in ("application/json", "application/graphql-response+json"):
        rejected = await ann.http.get("/graphql", params={"query": mutation}, headers={"Accept": accept})
        assert (rejected.status_code, rejected.headers["allow"]) == (405, "POST")
    with_variables = {"query": "query ($yes: Boolean!) { __typename @include(if: $yes) }", "variables": '{"yes": true}'}
    response = await ann.http.get("/graphql", params=with_variables, headers={"Accept": "*/*"})
    assert response.json() == {"data": {"__typename": "Query"}}
    empty = {**QUERY, "variables": "", "operationName": "", "extensions": ""}
    assert (await ann.http.get("/graphql", params=empty, headers={"Accept": "*/*"})).json() == RESULT
    assert (await ann.http.post("/graphql", json=empty)).json() == RESULT
    for variables in ("[]", "{", "1"):
        rejected = await ann.http.get("/graphql", params={**QUERY, "variables": variables}, headers={"Accept": "*/*"})
        assert rejected.status_code == 400


async def test_the_error_of_a_subscription_names_the_websocket(ann: Client) -> None:
    rejected = await ann.http.post("/graphql", json={"query": "subscription { renderUpdates { id } }"})
    assert rejected.status_code == 400
    assert "WebSocket" in rejected.json()["errors"][0]["message"]


async def test_other_methods_get_the_allowed_ones(ann: Client) -> None:
    for method in ("PUT", "DELETE", "PATCH"):
        rejected = await ann.http.request(method, "/graphql")
        assert rejected.status_code == 405
        assert {"GET", "POST"} <= {each.strip() for each in rejected.headers["allow"].split(",")}


async def test_an_unsupported_accept_header_is_rejected(ann: Client) -> None:
    assert (await ann.http.post("/graphql", json=QUERY, headers={"Accept": "text/plain"})).status_code == 406


async def test_every_response_has_security_headers(ann: Client) -> None:
    for path in ("/", "/graphql", "/healthz", "/readyz", "/missing", "/files/x.mp4"):
        headers = (await ann.http.get(path, headers={"Accept": "text/html"})).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "server" not in headers
    assert (await ann.http.post("/graphql", json=QUERY)).headers["cache-control"] == "no-store"


async def test_only_pages_of_allowed_origins_may_read_responses(ann: Client, caplog: pytest.LogCaptureFixture) -> None:
    requested = (
        "apollographql-client-name,authorization,baggage,content-type,if-none-match,range,sentry-trace,traceparent,"
        "tracestate,x-request-id,x-requested-with"
    )
    preflight = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": requested}
    allowed = await ann.http.options("/graphql", headers={"Origin": ALLOWED_ORIGIN, **preflight})
    assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, ALLOWED_ORIGIN)
    assert allowed.headers["access-control-allow-headers"] == requested
    response = await ann.http.get("/files/x.mp4", headers={"Origin": ALLOWED_ORIGIN})
    exposed = response.headers["access-control-expose-headers"].lower().split(", ")
    assert {"accept-ranges", "content-length", "content-range", "etag", "x-request-id"} <= set(exposed)
    for origin in ("https://evil.example", "null", f"{ALLOWED_ORIGIN}.evil.example", "http://app.example"):
        rejected = await ann.http.options("/graphql", headers={"Origin": origin, **preflight})
        assert rejected.status_code == 400
        assert f"its Origin {origin!r} is not one of RENDERCAST_ALLOWED_ORIGINS" in caplog.text
        response = await ann.http.post("/graphql", json=QUERY, headers={"Origin": origin})
        assert "access-control-allow-origin" not in response.headers


HEAD = b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
UNFINISHED = {
    "nothing at all": b"",
    "a line": b"POST /graphql HT",
    "headers": b"POST /graphql HTTP/1.1\r\nHost: x\r\nX-A: ",
    "a body": HEAD + b"Content-Length: 100\r\n\r\n{",
    "a chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{",
}


@pytest.mark.parametrize("name", UNFINISHED)
async def test_an_unfinished_request_times_out(short_timeout_url: str, name: str) -> None:
    reader, writer = await _connect(short_timeout_url)
    writer.write(UNFINISHED[name])
    async with asyncio.timeout(TEST_TIMEOUT_S):
        await _read_to_end(reader)
        writer.close()
        while not await _is_served(short_timeout_url):  # noqa: ASYNC110  # a request may exceed the timeout
            await asyncio.sleep(RETRY_S)


async def _is_served(url: str) -> bool:
    try:
        async with open_client(url) as client:
            return bool((await client.http.post("/graphql", json=QUERY)).json() == RESULT)
    except httpx.TransportError:
        return False


async def test_endless_headers_are_aborted(ann: Client) -> None:
    reader, writer = await _connect(str(ann.http.base_url))
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n")
    async with asyncio.timeout(TEST_TIMEOUT_S):
        try:
            for _ in range(100_000):
                writer.write(b"X-A: " + b"a" * 1000 + b"\r\n")
                await writer.drain()
        except ConnectionError:
            pass
        else:
            raise AssertionError("the server reads without limit")
        await _read_to_end(reader)
    writer.close()


async def _connect(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    address = urlsplit(url)
    return await asyncio.open_connection(address.hostname, address.port)


async def _read_to_end(reader: asyncio.StreamReader) -> None:
    try:
        while await reader.read(65_536):
            pass
    except ConnectionError:
        pass
