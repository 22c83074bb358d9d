"""Requests of @rendercast/client: lost responses, busy servers, proxies, typed errors, and addresses."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from services.errors import ExecutionTimeout
from services.models import Failure
from tests.support.fake_backend import FakeBackend
from tests.support.waiting import wait_until
from tests.typescript_client.package import NEEDS_NODE
from tests.typescript_client.program import CallError, Client, Program
from tests.typescript_client.proxy import open_proxy
from tests.typescript_client.site import open_site

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module"), NEEDS_NODE]

HELLO = {"text": "Hello"}


def once(field: str) -> Callable[[bytes], bool]:
    """Return a condition that holds for the first request with this field."""
    matching = iter([True])
    return lambda data: f"{{{field}(".encode() in data and next(matching, False)


def response(status: str, body: str = "<h1>Proxy</h1>", *headers: str, content_type: str = "text/html") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {content_type}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "Connection: close", "", body]).encode()


async def running(client: Client, backend: FakeBackend) -> str:
    """Start a render, and return its id when the backend runs it."""
    render_id: str = (await client.call("start", HELLO))["id"]
    await wait_until(lambda: render_id in backend.starts)
    return render_id


async def ended(client: Client, backend: FakeBackend) -> str:
    """Return the id of a render that has failed."""
    render_id = await running(client, backend)
    backend.break_down(render_id, retryable=False)
    await client.watch(render_id).rest()
    return render_id


async def rejects(client: Client, method: str, *arguments: object) -> CallError:
    with pytest.raises(CallError) as caught:
        await client.call(method, *arguments)
    return caught.value


async def test_a_start_whose_response_is_lost_starts_once(program: Program, tmp_path: Path) -> None:
    async with open_site(tmp_path) as site, open_proxy(site.url) as proxy:
        client = program.open(proxy.url)
        proxy.loses = once("startRender")
        render = await client.call("start", HELLO)
        proxy.loses = once("startRenders")
        batch = await client.call("batch", {"renders": [HELLO, HELLO]})
        ids = [render["id"], *(each["id"] for each in batch["renders"])]
        listed = await client.call("list")
        assert [each["id"] for each in listed["renders"]] == ids[::-1]
        assert batch["duplicates"] == 2
        again = await client.call("start", {**HELLO, "idempotencyKey": "mine"})
        assert again["id"] == (await client.call("start", {**HELLO, "idempotencyKey": "mine"}))["id"]
        reused = await rejects(client, "start", {"text": "Other", "idempotencyKey": "mine"})
        assert (reused.kind, reused.details["render"]["id"]) == ("IdempotencyKeyReused", again["id"])


async def test_other_mutations_whose_responses_are_lost_succeed(program: Program, tmp_path: Path) -> None:
    async with open_site(tmp_path) as site, open_proxy(site.url) as proxy:
        client = program.open(proxy.url)
        await site.backend.stop_starting()
        render = await client.call("start", HELLO)
        proxy.loses = once("cancelRender")
        assert (await client.call("cancel", render["id"]))["status"] == "CANCELLED"
        proxy.loses = once("deleteRender")
        assert await client.call("delete", render["id"]) is None
        assert (await rejects(client, "get", render["id"])).kind == "RenderNotFound"
        assert (await rejects(client, "delete", render["id"])).kind == "RenderNotFound"
        site.backend.capacity = 100
        failed = await ended(client, site.backend)
        proxy.loses = once("retryRender")
        retried = await client.call("retry", failed)
        assert [each["id"] for each in (await client.call("list"))["renders"]] == [retried["id"], failed]


async def test_requests_are_repeated_while_a_proxy_or_the_server_is_busy(program: Program, tmp_path: Path) -> None:
    limit = json.dumps({"errors": [{"message": "Too many.", "extensions": {"code": "LIMIT_EXCEEDED"}}]})
    stopped = json.dumps({"errors": [{"message": "It took too long.", "extensions": {"code": ExecutionTimeout.code}}]})
    busy = [
        response("502 Bad Gateway"),
        response("503 Service Unavailable", "{}", "Retry-After: 1", content_type="application/json"),
        response("429 Too Many Requests", limit, "Retry-After: 1", content_type="application/json"),
        response("504 Gateway Timeout", ""),
        response("200 OK", stopped, content_type="application/json"),
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
    ]
    async with open_site(tmp_path) as site, open_proxy(site.url) as proxy:
        quotas = []
        for each in busy:
            proxy.canned = [each]
            quotas.append(program.open(proxy.url).start("quota"))
            await wait_until(lambda: not proxy.canned)
        assert {(await quota.rest())[0]["limit"] for quota in quotas} == {1000}


async def test_a_request_that_is_rejected_for_long_throws_at_once_and_says_when(
    program: Program, tmp_path: Path
) -> None:
    async with open_site(tmp_path) as site, open_proxy(site.url) as proxy:
        proxy.canned = [response("429 Too Many Requests", "", "Retry-After: 3600")]
        error = await rejects(program.open(proxy.url), "quota")
        assert (error.kind, error.details["retryAfterSeconds"]) == ("ServerUnreachable", 3600)


@pytest.mark.parametrize(
    "canned",
    [
        response("404 Not Found"),
        response("200 OK"),
        response("200 OK", "[]", content_type="application/json"),
        response("200 OK", "null", content_type="application/json"),
        response("404 Not Found", '{"detail": "Not Found"}', content_type="application/json"),
    ],
)
async def test_a_response_that_is_not_from_rendercast_is_an_error_at_once(
    program: Program, tmp_path: Path, canned: bytes
) -> None:
    del tmp_path
    async with open_proxy("http://127.0.0.1:1") as proxy:
        proxy.canned = [canned]
        error = await rejects(program.open(proxy.url), "quota")
        assert (error.details["code"], "Check the URL" in error.details["message"]) == ("NOT_RENDERCAST", True)


async def test_errors_that_a_user_can_cause_have_their_class_and_fields(program: Program, tmp_path: Path) -> None:
    async with open_site(tmp_path, quota_limit=1) as site:
        client = program.open(site.url)
        animation = await rejects(client, "start", {"text": "", "fontSize": -1})
        assert animation.kind == "InvalidAnimation"
        assert animation.details["code"] == animation.details["name"] == "INVALID_ANIMATION"
        assert {problem["field"] for problem in animation.details["problems"]} == {"text", "fontSize"}
        unknown = await rejects(client, "start", {"composition": "Nothing", "props": {}})
        assert (unknown.kind, unknown.details["problems"][0]["path"]) == ("InvalidInput", "/composition/id")
        render_id = await running(client, site.backend)
        assert (await rejects(client, "delete", render_id)).details["render"]["id"] == render_id
        assert (await rejects(client, "refreshDownloadUrl", render_id)).kind == "RenderNotComplete"
        assert (await rejects(client, "retry", render_id)).kind == "RenderNotRetryable"
        quota = await rejects(client, "start", HELLO)
        assert quota.kind == "RenderQuotaExceeded"
        assert quota.details["retryAfterSeconds"] > 0 == quota.details["quota"]["remaining"]
        site.backend.finish(render_id)
        done = (await client.watch(render_id).rest())[-1]
        assert (await rejects(client, "cancel", render_id)).kind == "RenderAlreadyFinished"
        assert await client.call("fresh", done) == done
        expired = {**done, "outputUrlExpiresAt": "2020-01-01T00:00:00.000Z"}
        assert (await client.call("fresh", expired))["outputUrlExpiresAt"] > done["completedAt"]
        site.backend.outputs.clear()
        assert (await rejects(client, "fresh", expired)).kind == "OutputGone"
        assert (await rejects(client, "getBatch", "none")).kind == "BatchNotFound"


async def test_a_failed_render_has_its_error(program: Program, tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        client = program.open(site.url)
        site.backend.impossible = Failure(code="BROKEN", message="It broke.", retryable=False)
        states = await client.watch((await client.call("start", HELLO))["id"]).rest()
        assert states[-1]["error"] == {"code": "BROKEN", "message": "It broke.", "retryable": False}


async def test_lists_of_more_than_one_page_and_their_filters(program: Program, tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        client = program.open(site.url)
        await site.backend.stop_starting()
        for number in range(3):
            renders = [{**HELLO, "generationId": f"batch {number}"}] * 50
            await client.call("batch", {"renders": renders, "batchId": f"{number}"})
        page = await client.call("list", {"first": 120})
        rest = await client.call("list", {"first": 120, "after": page["pageInfo"]["endCursor"]})
        assert [page["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasNextPage"]] == [True, False]
        assert len({render["id"] for render in page["renders"] + rest["renders"]}) == 150
        filtered = await client.call("list", {"first": 60, "filter": {"generationId": "batch 1"}})
        assert {render["batchId"] for render in filtered["renders"]} == {"1"}
        progress = await client.call("cancelBatch", "1")
        assert (progress["total"], progress["cancelled"]) == (50, 50)


async def test_urls_with_a_prefix_or_with_the_endpoint_work(program: Program, tmp_path: Path) -> None:
    async with open_site(tmp_path, public_url="http://127.0.0.1/prefix") as site:
        for suffix in ("/prefix", "/prefix/", "/prefix/graphql"):
            for client in program.open_each(site.url + suffix):
                watch = client.watch((await client.call("start", HELLO))["id"])
                await watch.next()
                watch.end()


async def test_a_url_that_is_not_that_of_a_server_is_an_error_of_each_call(program: Program) -> None:
    # Not of `createClient`: a server that renders a page creates the client too, and there a relative URL has no base.
    for url in ("/rendercast", "localhost:8000", ""):
        client = program.open(url)
        assert (await rejects(client, "quota")).kind == "TypeError"
        with pytest.raises(CallError, match="TypeError"):
            await client.watch("1").next()


async def test_a_call_ends_at_once_when_it_is_aborted(program: Program, tmp_path: Path) -> None:
    async with open_site(tmp_path) as site, open_proxy(site.url) as proxy:
        proxy.is_offline = True
        offline = program.open(proxy.url).start("start", HELLO)
        await wait_until(lambda: proxy.accepted > 1)  # it waits before the next attempt
        asked: list[object] = []
        waiting = program.open(site.url, tokens=lambda **given: asked.append(given))  # gets no token
        without_token = [waiting.start("quota"), waiting.watch("1"), waiting.start("list")]
        await wait_until(lambda: len(asked) == len(without_token))
        for call in (offline, *without_token):
            call.abort()
            with pytest.raises(CallError, match="aborted"):
                await call.rest()
        assert site.backend.starts == []
