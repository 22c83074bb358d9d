"""The spans that a collector receives from whole processes, and what these do without a collector."""

import asyncio
import json
import socket
import sys
from pathlib import Path

import httpx
import pytest

from tests.end_to_end.conftest import Start
from tests.end_to_end.private import SECRETS, misuse, use
from tests.end_to_end.processes import COMMAND, Running, spawn_program
from tests.end_to_end.production import SETTINGS, Site
from tests.end_to_end.production import open_client as open_user
from tests.support import tokens
from tests.support.api_client import PROGRESS, TEST_TIMEOUT_S, Client, open_client
from tests.support.api_stream import open_stream
from tests.support.trace_collector import ReceivedSpan, open_collector
from tests.support.webhook_receiver import SECRET, open_receiver, reset

SMALL = {"text_width": 320, "text_height": 180}
CALLER = "c0ffee" * 5 + "00"
CALLER_SPAN = "beefbeefbeefbeef"
STARTED = ["add renders", "publish_to_one", "acquire renders", "queue_position renders"]
ATTEMPT = ["record renders", "publish", "start render", "record renders", "publish", "record renders", "publish"]
MAIN = "from cli import main; main()"
NOT_INSTALLED = f"import sys; sys.modules['opentelemetry.sdk'] = None; {MAIN}"
PRINT_LOADED_MODULES = f"""
import atexit, sys
TRACING = (
    "services.observability.tracing", "services.observability.export",
    "opentelemetry.sdk.trace", "opentelemetry.exporter", "requests",
)
loaded = lambda: [name for name in sys.modules if name.startswith(TRACING)]
atexit.register(lambda: print("loaded:", loaded(), file=sys.stderr))
{MAIN}
"""


def exporting_to(url: str) -> dict[str, str]:
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_BSP_SCHEDULE_DELAY": "100"}


async def render_to_its_end(client: Client, **props: object) -> str:
    """Start a render within the caller's trace, wait for its end and return its id."""
    client.http.headers["traceparent"] = f"00-{CALLER}-{CALLER_SPAN}-01"
    render_id = await client.start_render(**props)
    del client.http.headers["traceparent"]
    async with open_stream(client) as stream:
        await stream.subscribe(PROGRESS, id=render_id)
        assert (await stream.rest())[-1]["status"] == "COMPLETE"
    return render_id


def one(spans: list[ReceivedSpan], name: str) -> ReceivedSpan:
    (found,) = [span for span in spans if span.name == name]
    return found


def names(spans: list[ReceivedSpan], parent: ReceivedSpan) -> list[str]:
    return sorted(span.name for span in spans if span.parent_id == parent.id)


async def test_a_render_is_one_trace_from_the_request_to_the_webhook(start: Start) -> None:
    webhooks = {"webhook_secret": SECRET, "webhook_networks": "127.0.0.0/8"}
    async with open_collector() as collector, open_receiver(reset) as receiver:
        rendercast = start(
            **SMALL, **exporting_to(collector.url), **webhooks, webhook_url=receiver.url, log_format="json"
        )
        async with open_client(rendercast.url) as client:
            render_id = await render_to_its_end(client, durationInFrames=300)
            await receiver.got(2)
        assert await asyncio.to_thread(rendercast.end) == 0  # while the collector runs
        spans = collector.spans
    assert {span.trace_id for span in spans} == {CALLER}, "only spans of requests and renders are exported"
    request = one(spans, "POST /graphql")
    assert (request.parent_id, request.kind, request.service) == (CALLER_SPAN, "SERVER", "rendercast")
    assert request.attributes["http.response.status_code"] == 200
    operation = one(spans, "mutation")
    assert operation.parent_id == request.id
    assert operation.attributes["graphql.operation.type"] == "mutation"
    assert names(spans, operation) == sorted([*STARTED, "render attempt", "send webhook", "send webhook"])
    attempt = one(spans, "render attempt")
    assert names(spans, attempt) == sorted(ATTEMPT), "and none for its progress"
    assert attempt.attributes["rendercast.render.id"] == render_id
    assert attempt.attributes["rendercast.render.attempt"] == 1
    assert (attempt.events[0], attempt.events[-1]) == ("launching", "complete")
    assert len(set(attempt.events)) == len(attempt.events) <= 5, "each phase once"
    assert one(spans, "add renders").attributes["db.system.name"] == "sqlite"
    failed, delivered = sorted(
        (span for span in spans if span.name == "send webhook"), key=lambda span: span.started_ns
    )
    assert (failed.is_error, failed.attributes["error.type"], delivered.is_error) == (True, "unanswered", False)
    assert [span.name for span in spans if span.is_error] == ["send webhook"]
    logged = [json.loads(line) for line in rendercast.log.splitlines()]
    assert [line["trace_id"] for line in logged if "webhook" in line["message"]] == [CALLER, CALLER]


async def test_two_processes_export_spans_of_one_trace(site: Site) -> None:
    async with open_collector() as collector:
        api, worker = (
            *site.start("serve --port 0", **exporting_to(collector.url), OTEL_SERVICE_NAME="the-api"),
            *site.start("worker", **exporting_to(collector.url), OTEL_SERVICE_NAME="the-worker"),
        )
        async with open_user(api.url) as client:
            await render_to_its_end(client)
        assert [await asyncio.to_thread(each.end) for each in (api, worker)] == [0, 0]
        spans = collector.spans
    assert {span.trace_id for span in spans} == {CALLER}
    assert {span.service for span in spans if span.name in {"POST /graphql", "mutation"}} == {"the-api"}
    attempt = one(spans, "render attempt")
    assert (attempt.service, attempt.parent_id) == ("the-worker", one(spans, "mutation").id)
    assert names(spans, attempt) == sorted(ATTEMPT)
    assert one(spans, "acquire renders").service == "the-worker"
    assert {span.attributes["db.system.name"] for span in spans if "db.system.name" in span.attributes} == {"mongodb"}
    assert {span.attributes.get("messaging.system") for span in spans if span.name == "publish"} == {"redis"}


async def test_no_users_texts_names_tokens_or_urls_are_exported(start: Start, site: Site) -> None:
    token = tokens.token_of("somebody")
    async with open_collector() as collector:
        rendercast = start(**exporting_to(collector.url), quota_limit=20)
        async with open_client(rendercast.url) as client:
            urls = await use(client)
            await misuse(client)
        assert await asyncio.to_thread(rendercast.end) == 0
        (api,) = site.start("serve --port 0", **exporting_to(collector.url))
        async with open_user(api.url, user="somebody") as client:
            await client.start(text=SECRETS[0])
            await client.http.post(f"/graphql?{SECRETS[0]}", headers={"tracestate": "a=b"})
            await client.http.get("/graphql", params={"query": f'{{ render(id: "{token}") {{ id }} }}'})
        assert await asyncio.to_thread(api.end) == 0
        received = b"".join(collector.bodies)
    assert collector.named("mutation")
    signatures = [httpx.URL(url).params["signature"] for url in urls]
    for secret in (*SECRETS, *signatures, "somebody", token, token.rpartition(".")[2]):
        assert secret.encode() not in received


async def test_an_unresponsive_collector_delays_and_fails_nothing(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it accepts connections and never responds
        rendercast = start(**SMALL, **exporting_to(f"http://127.0.0.1:{silent.getsockname()[1]}"))
        async with open_client(rendercast.url) as client:
            await render_to_its_end(client)
        assert rendercast.end() == 0
        assert "the last spans were not exported" in rendercast.log


async def test_a_collector_that_refuses_connections_is_logged_and_nothing_else_happens(start: Start) -> None:
    rendercast = start(
        **SMALL, **exporting_to("http://127.0.0.1:1"), OTEL_EXPORTER_OTLP_TIMEOUT=1
    )  # seconds for all attempts
    async with open_client(rendercast.url) as client:
        await render_to_its_end(client)
    assert rendercast.end() == 0
    assert "Failed to export spans batch" in rendercast.log
    assert "Transient error" not in rendercast.log, "each attempt"


@pytest.mark.parametrize(
    ("program", "variables", "expected"),
    [
        (PRINT_LOADED_MODULES, {}, "loaded: []"),
        (PRINT_LOADED_MODULES, {**exporting_to("http://127.0.0.1:1"), "OTEL_SDK_DISABLED": "true"}, "loaded: []"),
        (NOT_INSTALLED, {}, "Finished server process"),
    ],
)
async def test_without_a_collector_the_sdk_is_neither_loaded_nor_needed(
    tmp_path: Path, program: str, variables: dict[str, str], expected: str
) -> None:
    rendercast = Running(tmp_path, [sys.executable, "-c", program, "dev", "--port", "0"], {**SMALL, **variables})
    try:
        async with open_client(rendercast.url) as client:
            await render_to_its_end(client)
        assert rendercast.end() == 0
    finally:
        rendercast.close()
    assert expected in rendercast.log.splitlines()[-1]
    assert "opentelemetry" not in rendercast.log
    assert "trace_id" not in rendercast.log


@pytest.mark.parametrize(
    ("program", "variables", "expected"),
    [
        ([sys.executable, "-c", NOT_INSTALLED], {}, "requirements/extras.lock"),
        ([COMMAND], {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "OTEL_EXPORTER_OTLP_PROTOCOL is grpc"),
        ([COMMAND], {"OTEL_BSP_MAX_QUEUE_SIZE": "-1"}, "OTEL_… is not valid: "),
    ],
)
def test_a_start_with_a_wrong_tracing_configuration_is_rejected(
    tmp_path: Path, program: list[str], variables: dict[str, str], expected: str
) -> None:
    command = [*program, "dev", "--port", "0"]
    process = spawn_program(tmp_path, command, {**SETTINGS, **exporting_to("http://127.0.0.1:1"), **variables})
    process.communicate(timeout=TEST_TIMEOUT_S)
    assert process.returncode == 1
    text = (tmp_path / "stderr").read_text()
    assert text.startswith("rendercast: ")
    assert expected in text
    assert text.count("\n") == 1
