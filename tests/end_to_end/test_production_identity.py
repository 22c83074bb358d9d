"""Users with tokens of a secret and of an issuer; the logs contain no credential."""

import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from tests.end_to_end.processes import Running, spawn
from tests.end_to_end.production import Site
from tests.security.closing import close_code_and_reason, rejected_init
from tests.security.issuer import Issuer, open_issuer
from tests.support import tokens
from tests.support.api_client import LIST, TEST_TIMEOUT_S, UPDATES, Client, open_client
from tests.support.api_stream import open_stream
from tests.support.forked import run_forked_text

SECRET = "another-example-of-a-secret-as-long-as"  # noqa: S105


def made(folder: Path, *arguments: str, **settings: object) -> str:
    """Return the token that `rendercast token` prints."""
    process = spawn(folder, "token", *arguments, **settings)
    output, _ = process.communicate(timeout=TEST_TIMEOUT_S)
    assert process.returncode == 0, (folder / "stderr").read_text()
    (line,) = output.decode().splitlines()
    return line


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with open_issuer() as issuer:
        yield issuer


async def use(client: Client) -> None:
    """Execute operations over HTTP and over a WebSocket."""
    render_id = await client.start_render(durationInFrames=2)
    async with open_stream(client) as stream:
        await stream.subscribe(LIST)
        assert [edge["node"]["id"] for edge in (await stream.next())["edges"]] == [render_id]


async def check_rejected(client: Client) -> None:
    assert (await client.error(LIST))["extensions"] == {"code": "UNAUTHENTICATED"}
    assert (await rejected_init(client))[0] == 4403


def never_logged(process: Running, *secrets: str) -> None:
    """Check that the log at level debug contains none of these, nor the signature of a token."""
    assert "POST /graphql" in process.log, "the log contains requests"
    for secret in secrets:
        assert secret not in process.log
        assert secret.rpartition(".")[2] not in process.log


async def test_tokens_of_the_secret_are_accepted_until_they_expire(site: Site, tmp_path: Path) -> None:
    (api,) = site.start("serve --port 0", jwt_secret=SECRET, jwt_leeway_s=0, log_level="debug")
    good = made(tmp_path, "ann", "--expires-in", "1d", jwt_secret=SECRET)
    forged = made(tmp_path, "ann", jwt_secret=tokens.SECRET)
    async with open_client(api.url) as http:
        await use(Client(http.http, token=good))
        await check_rejected(Client(http.http, token=forged))
        short = await _ended_by_expiry(tmp_path, http)
        await check_rejected(Client(http.http, token=short))
    assert api.end() == 0
    never_logged(api, good, forged, short, SECRET)


async def _ended_by_expiry(folder: Path, http: Client) -> str:
    """Return a token whose WebSocket the server has closed because it expired."""
    for expires_in in ("2s", "8s", "30s"):  # the next one is for a machine that is too slow for this one
        token = made(folder, "ann", "--expires-in", expires_in, jwt_secret=SECRET)
        with contextlib.suppress(ConnectionClosed):
            async with open_stream(Client(http.http, token=token)) as stream:
                await stream.subscribe(UPDATES)
                code, reason = await close_code_and_reason(stream.connection)
                assert (code, "expired" in reason) == (4403, True)
                return token
    raise AssertionError(expires_in)


async def test_only_tokens_of_the_issuer_are_accepted(site: Site, issuer: Issuer) -> None:
    (api,) = site.start("serve --port 0", jwt_secret="", jwt_issuer=issuer.url, log_level="debug")
    good, forged, older = issuer.token("ann"), issuer.forged(), tokens.token_of("ann")
    async with open_client(api.url) as http:
        await use(Client(http.http, token=good))
        for token in (forged, older):
            await check_rejected(Client(http.http, token=token))
    assert api.end() == 0
    never_logged(api, good, forged, older)


def test_the_help_names_the_setting_of_the_secret(tmp_path: Path) -> None:
    shown = run_forked_text(["token", "--help"], cwd=tmp_path, env=os.environ)
    assert "RENDERCAST_JWT_SECRET" in shown.stdout
