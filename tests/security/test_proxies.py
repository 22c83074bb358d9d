"""Trusted proxies: which `X-Forwarded-For` determines the client address that limits count by."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from websockets.exceptions import InvalidMessage, InvalidStatus

from services.runtime.adapters import open_embedded
from services.settings import load_settings
from tests.support.api_client import Client, open_client
from tests.support.api_server import rewired, serve, serve_faked
from tests.support.api_stream import open_stream
from tests.support.fake_backend import FakeBackend
from transport.trusted_proxies import MAX_WARNINGS, ForwardedForCheck

MAX_CONNECTIONS = 2
FORWARDED = [(b"host", b"x"), (b"x-forwarded-for", b"192.0.2.1")]
ABORTED = 0


async def open_websocket(stack: AsyncExitStack, client: Client, forwarded_for: str) -> int:
    """Open a WebSocket for the duration of the test; return the handshake's status, `ABORTED` without a response."""
    try:
        await stack.enter_async_context(open_stream(client, additional_headers={"X-Forwarded-For": forwarded_for}))
    except InvalidStatus as rejected:
        return rejected.response.status_code
    except (InvalidMessage, OSError):
        return ABORTED
    return 101


@pytest.mark.parametrize(
    ("trusted", "addresses", "statuses"),
    [
        ("127.0.0.1", ["192.0.2.1"] * 3 + ["192.0.2.2"], [101, 101, 429, 101]),
        ("127.0.0.0/8", ["192.0.2.1"] * 3 + ["192.0.2.2"], [101, 101, 429, 101]),
        ("127.0.0.1", [f"192.0.2.{n}, 192.0.2.1" for n in range(3)], [101, 101, 429]),
        ("127.0.0.1,192.0.2.9", ["192.0.2.1, 192.0.2.9"] * 3, [101, 101, 429]),
        (" * ", [f"192.0.2.{n}" for n in range(3)], [101, 101, 101]),
        ("127.0.0.1", [f"2001:db8::{n}" for n in range(3)] + ["2001:db8:0:1::"], [101, 101, 429, 101]),
        ("127.0.0.1", ["::ffff:192.0.2.1", "192.0.2.1", "192.0.2.1", "::ffff:192.0.2.2"], [101, 101, 429, 101]),
        ("", [f"192.0.2.{n}" for n in range(3)], [101, 101, ABORTED]),
        ("192.0.2.1", [f"192.0.2.{n}" for n in range(3)], [101, 101, ABORTED]),
    ],
)
async def test_the_client_address_is_that_reported_by_the_nearest_trusted_proxy(
    tmp_path: Path, trusted: str, addresses: list[str], statuses: list[int]
) -> None:
    settings = load_settings(data_dir=tmp_path, max_connections_per_address=MAX_CONNECTIONS, trusted_proxies=trusted)
    async with (
        open_embedded(settings) as services,
        serve(rewired(services, backend=FakeBackend())) as url,
        open_client(url, user="ann") as ann,
        AsyncExitStack() as stack,
    ):
        assert [await open_websocket(stack, ann, address) for address in addresses] == statuses


def test_each_proxy_that_is_not_trusted_is_logged_once_and_only_some_of_them(caplog: pytest.LogCaptureFixture) -> None:
    check = ForwardedForCheck("10.0.0.1".__eq__)
    check.check("10.0.0.1", FORWARDED)
    check.check("10.0.0.2", [(b"host", b"x")])
    assert not caplog.records
    for address in [f"10.0.1.{n}" for n in range(100)] * 2:
        check.check(address, FORWARDED)
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == MAX_WARNINGS
    assert all(text in lines[0] for text in ("10.0.1.0", "RENDERCAST_TRUSTED_PROXIES"))


async def test_a_request_through_a_proxy_that_is_not_trusted_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serve_faked(tmp_path, {"trusted_proxies": "none"}) as url, open_client(url) as client:
        for _ in range(3):
            assert (await client.http.get("/healthz", headers={"X-Forwarded-For": "192.0.2.1"})).status_code == 200
    assert caplog.text.count("RENDERCAST_TRUSTED_PROXIES") == 1
