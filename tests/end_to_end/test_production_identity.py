"""Users of a production: by a secret and by an issuer, in processes whose logs never hold what would let others in."""

import contextlib
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from tests.end_to_end.processes import COMMAND, Running, spawn
from tests.end_to_end.production import Site
from tests.security.closing import close_code_and_reason, refused_init
from tests.security.issuer import Issuer, open_issuer
from tests.support import tokens
from tests.support.api_client import LIST, TEST_TIMEOUT_S, UPDATES, Client, open_client, open_stream

SECRET = "another secret of nobody, just as long"  # noqa: S105


def made(folder: Path, *arguments: str, **settings: object) -> str:
    """Return what `rendercast token` prints."""
    process = spawn(folder, "token", *arguments, **settings)
    said, _ = process.communicate(timeout=TEST_TIMEOUT_S)
    assert process.returncode == 0, (folder / "stderr").read_text()
    (line,) = said.decode().splitlines()
    return line


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with open_issuer() as issuer:
        yield issuer


async def use(client: Client) -> None:
    """Do something over HTTP and over a WebSocket."""
    render_id = await client.start_render(durationInFrames=2)
    async with open_stream(client) as stream:
        await stream.subscribe(LIST)
        assert [edge["node"]["id"] for edge in (await stream.next())["edges"]] == [render_id]


async def try_in_vain(client: Client) -> None:
    assert (await client.error(LIST))["extensions"] == {"code": "UNAUTHENTICATED"}
    assert (await refused_init(client))[0] == 4403


def never_logged(process: Running, *secrets: str) -> None:
    """Require that the log at its most talkative holds none of these, nor the signature of a token among them."""
    assert "POST /graphql" in process.log, "this is the log of requests"
    for secret in secrets:
        assert secret not in process.log
        assert secret.rpartition(".")[2] not in process.log


async def test_the_secret_makes_tokens_that_let_users_in_until_they_expire(site: Site, tmp_path: Path) -> None:
    (api,) = site.start("serve --port 0", jwt_secret=SECRET, jwt_leeway_s=0, log_level="debug")
    good = made(tmp_path, "ann", "--expires-in", "1d", jwt_secret=SECRET)
    forged = made(tmp_path, "ann", jwt_secret=tokens.SECRET)
    async with open_client(api.url) as http:
        await use(Client(http.http, token=good))
        await try_in_vain(Client(http.http, token=forged))
        short = await _ended_by_expiry(tmp_path, http)
        await try_in_vain(Client(http.http, token=short))
    assert api.end() == 0
    never_logged(api, good, forged, short, SECRET)


async def _ended_by_expiry(folder: Path, http: Client) -> str:
    """Return a token whose WebSocket the server has closed, because it lived no longer."""
    for expires_in in ("2s", "8s", "30s"):  # a machine that is too slow for one is let in with the next
        token = made(folder, "ann", "--expires-in", expires_in, jwt_secret=SECRET)
        with contextlib.suppress(ConnectionClosed):
            async with open_stream(Client(http.http, token=token)) as stream:
                await stream.subscribe(UPDATES)
                code, reason = await close_code_and_reason(stream.connection)
                assert (code, "expired" in reason) == (4403, True)
                return token
    raise AssertionError(expires_in)


async def test_an_issuer_lets_its_users_in_and_nobody_else(site: Site, issuer: Issuer) -> None:
    (api,) = site.start("serve --port 0", jwt_secret="", jwt_issuer=issuer.url, log_level="debug")
    good, forged, older = issuer.token("ann"), issuer.forged(), tokens.token_of("ann")
    async with open_client(api.url) as http:
        await use(Client(http.http, token=good))
        for token in (forged, older):
            await try_in_vain(Client(http.http, token=token))
    assert api.end() == 0
    never_logged(api, good, forged, older)


def test_the_help_says_how_a_token_is_made() -> None:
    shown = subprocess.run([COMMAND, "token", "--help"], capture_output=True, check=True, text=True)
    assert "RENDERCAST_JWT_SECRET" in shown.stdout
