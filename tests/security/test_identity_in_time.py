"""Authentication over time: expiring tokens, an unavailable issuer, changing keys, floods of unknown keys."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from aiohttp import web
from websockets.exceptions import ConnectionClosed

from auth.jwks import MAX_WAITING
from tests.security.closing import close_code_and_reason, rejected_init
from tests.security.conftest import MIN_INTERVAL_S, Site, open_site
from tests.security.issuer import open_issuer, published
from tests.support.api_client import LIST, RETRY_S, TEST_TIMEOUT_S
from tests.support.api_stream import Stream, open_socket, open_stream

pytestmark = pytest.mark.slow

LEEWAY_S = 30  # of the settings
REVISION = "subscription ($id: ID!) { renderProgress(renderId: $id) { revision } }"
REVISIONS = "subscription { renderUpdates { revision } }"
FLOOD = 300


async def unavailable(request: web.Request) -> web.Response:
    del request
    return web.Response(status=503)


@asynccontextmanager
async def open_server(folder: Path, *, issuer_available: bool = True) -> AsyncIterator[Site]:
    async with open_issuer() as issuer:
        issuer.handler = None if issuer_available else unavailable
        async with open_site(issuer, folder) as site:
            yield site


async def test_a_websocket_and_its_subscriptions_end_when_the_token_expires(tmp_path: Path) -> None:
    async with open_server(tmp_path) as site:
        client = site.client(site.issuer.token("ann"))
        render_id = await client.start_render()
        await client.until(render_id, status="RENDERING")
        received: list[str] = []
        for left_s in (2, 8, 32):  # more time for slow machines
            received = await _received_until_expiry(site, render_id, left_s)
            if received[2:]:
                break
        assert received[:3] == ["connection_ack", "next", "next"]
        async with asyncio.timeout(TEST_TIMEOUT_S):
            while site.services.hub._channels:  # noqa: ASYNC110  # it has no event for this
                await asyncio.sleep(RETRY_S)
        assert [render["id"] for render in await client.list_renders()] == [render_id]


async def _received_until_expiry(site: Site, render_id: str, left_s: int) -> list[str]:
    """Return the types of the messages that a WebSocket with two subscriptions receives until its token expires."""
    client = site.client(site.issuer.token("ann", exp=int(time.time()) + left_s - LEEWAY_S))
    received: list[str] = []
    async with open_socket(client.websocket_url) as connection:
        await connection.send(json.dumps({"type": "connection_init", "payload": client.websocket_params}))
        stream = Stream(connection)
        with suppress(ConnectionClosed):  # the token may have expired already
            await stream.subscribe(REVISION, "one", id=render_id)
            await stream.subscribe(REVISIONS, "all")
        code, reason = await close_code_and_reason(connection, received)
    assert (code, "expired" in reason) == (4403, True)
    return [json.loads(text)["type"] for text in received]


async def test_a_flood_of_unknown_keys_causes_few_requests_to_the_issuer(tmp_path: Path) -> None:
    async with open_server(tmp_path) as site:
        good = site.client(site.issuer.token("ann"))
        assert await good.list_renders() == []
        started_at = time.monotonic()
        forged = [site.issuer.forged(kid=f"unknown {n}") for n in range(FLOOD)]
        async with asyncio.TaskGroup() as tasks:
            errors = [tasks.create_task(site.client(token).error(LIST)) for token in forged]
        codes = Counter(error.result()["extensions"]["code"] for error in errors)
        assert set(codes) <= {"UNAUTHENTICATED", "SERVICE_UNAVAILABLE"}
        assert codes["UNAUTHENTICATED"] >= MAX_WAITING
        assert site.issuer.reads <= 2 + (time.monotonic() - started_at) / MIN_INTERVAL_S
        assert await good.list_renders() == []


async def test_changed_keys_are_used_without_a_restart(tmp_path: Path) -> None:
    """The first token signed by the new key waits for a refresh, after the minimal interval."""
    async with open_server(tmp_path) as site:
        old, new = site.client(site.issuer.token("ann")), site.client(site.issuer.token("ann", key="the next key"))
        render_id = await old.start_render()
        site.issuer.keys = [published("RS256", "the next key")]
        assert [render["id"] for render in await new.list_renders()] == [render_id]
        assert (await old.error(LIST))["extensions"] == {"code": "UNAUTHENTICATED"}
        assert (await rejected_init(old))[0] == 4403


async def test_tokens_stay_valid_while_the_issuer_is_unavailable(tmp_path: Path) -> None:
    async with open_server(tmp_path) as site:
        client = site.client(site.issuer.token("ann"))
        assert await client.list_renders() == []
        site.issuer.handler = unavailable
        error = await site.client(site.issuer.forged(kid="unknown")).error(LIST)
        assert error["extensions"] == {"code": "SERVICE_UNAVAILABLE"}
        assert await client.list_renders() == []
        async with open_stream(client) as stream:
            await stream.subscribe(LIST)
            assert (await stream.next())["edges"] == []


async def test_before_the_first_keys_clients_are_asked_to_try_again_later(tmp_path: Path) -> None:
    async with open_server(tmp_path, issuer_available=False) as site:
        client = site.client(site.issuer.token("ann"))
        assert (await client.error(LIST))["extensions"] == {"code": "SERVICE_UNAVAILABLE"}
        assert await rejected_init(client) == (1013, "Please try again later.")
        assert await client.execute("{ renderLimits { fps } }") == {"fps": 30}
        assert (await site.client(None).error(LIST))["extensions"] == {"code": "UNAUTHENTICATED"}
        assert site.issuer.reads >= 1
