"""Identity while a server runs: tokens that expire, an issuer that is away, floods of made-up keys."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from auth.jwks import PAUSE_S
from tests.security.closing import ending, refused
from tests.security.conftest import Site, open_site
from tests.security.issuer import open_issuer, published
from tests.support.api_client import LIST, PATIENCE_S, RETRY_S, Stream, open_socket, open_stream

LEEWAY_S = 30  # of the settings
REVISION = "subscription ($id: ID!) { renderProgress(renderId: $id) { revision } }"
REVISIONS = "subscription { renderUpdates { revision } }"
FLOOD = 300


async def away(request: web.Request) -> web.Response:
    del request
    return web.Response(status=503)


@asynccontextmanager
async def opened(folder: Path, *, answers: bool = True) -> AsyncIterator[Site]:
    async with open_issuer() as issuer:
        issuer.answer = None if answers else away
        async with open_site(issuer, folder) as site:
            yield site


async def test_a_websocket_ends_with_its_token_and_so_does_all_that_runs_on_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as site:
        client = site.client(site.issuer.token("ann"))
        render_id = await client.started()
        await client.until(render_id, status="RENDERING")
        said: list[str] = []
        for left_s in (2, 8, 32):  # a machine that is too slow for one comes to its operations with the next
            said = await _said_until_expiry(site, render_id, left_s)
            if said[1:]:
                break
        assert said[:3] == ["connection_ack", "next", "next"]
        async with asyncio.timeout(PATIENCE_S):
            while site.services.hub._rooms:  # noqa: ASYNC110  # it says to nobody that they have left
                await asyncio.sleep(RETRY_S)
        assert [render["id"] for render in await client.listed()] == [render_id]


async def _said_until_expiry(site: Site, render_id: str, left_s: int) -> list[str]:
    """Return the types of the messages on a WebSocket with two operations whose token expires."""
    client = site.client(site.issuer.token("ann", exp=int(time.time()) + left_s - LEEWAY_S))
    said: list[str] = []
    async with open_socket(client.websocket_url) as connection:
        await connection.send(json.dumps({"type": "connection_init", "payload": client.websocket_params}))
        stream = Stream(connection)
        await stream.subscribe(REVISION, "one", id=render_id)
        await stream.subscribe(REVISIONS, "all")
        code, reason = await ending(connection, said)
    assert (code, "expired" in reason) == (4403, True)
    return [json.loads(text)["type"] for text in said]


async def test_a_flood_of_unknown_keys_reaches_the_issuer_at_most_once_in_a_pause(tmp_path: Path) -> None:
    async with opened(tmp_path) as site:
        good = site.client(site.issuer.token("ann"))
        assert await good.listed() == []
        began = time.monotonic()
        forged = [site.issuer.forged(kid=f"unknown {n}") for n in range(FLOOD)]
        async with asyncio.TaskGroup() as tasks:
            errors = [tasks.create_task(site.client(token).error(LIST)) for token in forged]
        assert {error.result()["extensions"]["code"] for error in errors} == {"UNAUTHENTICATED"}
        assert site.issuer.reads <= 2 + (time.monotonic() - began) / PAUSE_S
        assert await good.listed() == []


async def test_an_issuer_changes_its_keys_without_a_restart_of_ours(tmp_path: Path) -> None:
    """The first token by the new key makes the server look, as soon as it may look again."""
    async with opened(tmp_path) as site:
        old, new = site.client(site.issuer.token("ann")), site.client(site.issuer.token("ann", key="the next key"))
        render_id = await old.started()
        site.issuer.keys = [published("RS256", "the next key")]
        async with asyncio.timeout(PATIENCE_S):
            while "errors" in await new.post(LIST):  # noqa: ASYNC110  # until it has looked
                await asyncio.sleep(20 * RETRY_S)
        assert [render["id"] for render in await new.listed()] == [render_id]
        assert (await old.error(LIST))["extensions"] == {"code": "UNAUTHENTICATED"}
        assert (await refused(old))[0] == 4403


async def test_users_stay_while_their_issuer_is_away(tmp_path: Path) -> None:
    async with opened(tmp_path) as site:
        client = site.client(site.issuer.token("ann"))
        assert await client.listed() == []
        site.issuer.answer = away
        error = await site.client(site.issuer.forged(kid="unknown")).error(LIST)
        assert error["extensions"] == {"code": "UNAUTHENTICATED"}
        assert await client.listed() == []
        async with open_stream(client) as stream:
            await stream.subscribe(LIST)
            assert (await stream.next())["edges"] == []


async def test_before_the_first_keys_everybody_is_asked_to_come_again(tmp_path: Path) -> None:
    async with opened(tmp_path, answers=False) as site:
        client = site.client(site.issuer.token("ann"))
        assert (await client.error(LIST))["extensions"] == {"code": "SERVICE_UNAVAILABLE"}
        assert await refused(client) == (1013, "Please try again later.")
        assert await client.ask("{ renderLimits { fps } }") == {"fps": 30}
        assert (await site.client(None).error(LIST))["extensions"] == {"code": "UNAUTHENTICATED"}
        assert site.issuer.reads >= 1
