"""The webhook client over real loopback connections: hostile receivers and forbidden addresses."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from services.errors import StartupError
from services.webhooks.addresses import parse_networks
from services.webhooks.configuration import EndpointConfig
from services.webhooks.endpoint import WebhookEndpoint, open_endpoint
from services.webhooks.ports import EndpointError
from tests.support.server_process import free_port
from tests.support.webhook_receiver import (
    KEY,
    Receiver,
    Reply,
    endless_body,
    hang,
    nonsense,
    open_receiver,
    reset,
    status,
)

HEADERS = {"content-type": "application/json"}
LOOPBACK = parse_networks("127.0.0.0/8")


class FakeResolver(AbstractResolver):
    """A resolver that returns fixed addresses: each lookup gets the next list, later ones the last."""

    def __init__(self, *results: Sequence[str]) -> None:
        self.requested: list[str] = []
        self._results = list(results)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        del family
        self.requested.append(host)
        addresses = self._results.pop(0) if len(self._results) > 1 else self._results[0]
        if not addresses:
            raise OSError("no such name")
        kinds = {address: socket.AF_INET6 if ":" in address else socket.AF_INET for address in addresses}
        return [
            ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=0)
            for address, kind in kinds.items()
        ]

    async def close(self) -> None: ...


def config(url: str, *, networks: str = "127.0.0.0/8", timeout_s: float = 20.0) -> EndpointConfig:
    return EndpointConfig(url=url, secrets=(KEY,), networks=parse_networks(networks), timeout_s=timeout_s)


@asynccontextmanager
async def receiving(*replies: Reply, timeout_s: float = 20.0) -> AsyncIterator[tuple[Receiver, WebhookEndpoint]]:
    async with (
        open_receiver(*replies) as receiver,
        open_endpoint(config(receiver.url, timeout_s=timeout_s)) as endpoint,
    ):
        yield receiver, endpoint


@asynccontextmanager
async def silent_address(receiver: Receiver) -> AsyncIterator[str]:
    """An address of this machine whose port neither accepts nor refuses connections: its backlog is full."""
    address, port = "127.0.0.9", int(receiver.url.rpartition(":")[2].partition("/")[0])
    with contextlib.ExitStack() as sockets:
        listening = sockets.enter_context(socket.socket())
        listening.bind((address, port))
        listening.listen(0)
        while True:
            waiting = sockets.enter_context(socket.socket())
            waiting.settimeout(0.5)
            try:
                await asyncio.to_thread(waiting.connect, (address, port))
            except TimeoutError:
                break
        yield address


async def error_of(endpoint: WebhookEndpoint) -> str:
    with pytest.raises(EndpointError) as error:
        await endpoint.post(b"{}", HEADERS)
    assert "hunter2" not in str(error.value)
    return str(error.value)


async def test_a_request_has_body_and_headers_and_its_response_is_returned() -> None:
    async with receiving(status(429, "Retry-After: 7")) as (receiver, endpoint):
        response = await endpoint.post(b'{"a":1}', HEADERS)
        (request,) = receiver.received
    assert (response.status_code, response.retry_after) == (429, "7")
    assert (request.method, request.target, request.body) == ("POST", "/hooks?key=hunter2", b'{"a":1}')
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"].startswith("Rendercast")
    assert "cookie" not in request.headers


@pytest.mark.parametrize(
    ("reply", "timeout_s", "expected"),
    [
        (hang, 0.2, "no response within 0.2 s"),
        (reset, 20.0, "the connection was closed before a response"),
        (nonsense, 20.0, "invalid response"),
    ],
)
async def test_a_missing_or_invalid_response_is_an_error(reply: Reply, timeout_s: float, expected: str) -> None:
    async with receiving(reply, timeout_s=timeout_s) as (_, endpoint):
        assert expected in await error_of(endpoint)


async def test_a_refused_connection_is_an_error() -> None:
    async with open_endpoint(config(f"http://127.0.0.1:{free_port()}/")) as endpoint:
        assert "no connection" in await error_of(endpoint)


async def test_an_endless_body_is_not_read() -> None:
    async with receiving(endless_body) as (_, endpoint):
        assert (await endpoint.post(b"{}", HEADERS)).status_code == 200


async def test_endless_headers_are_rejected() -> None:
    async def headers(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"X-More: " + b"x" * 4000 + b"\r\n")
            await writer.drain()

    async with receiving(headers) as (_, endpoint):
        assert "invalid response" in await error_of(endpoint)


@pytest.mark.parametrize("code", [301, 302, 307, 308])
async def test_redirects_are_not_followed(code: int) -> None:
    async with open_receiver() as private, receiving(status(code, f"Location: {private.url}")) as (_, endpoint):
        assert (await endpoint.post(b"{}", HEADERS)).status_code == code
        assert private.received == []


async def test_proxies_from_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_receiver() as proxy, receiving() as (receiver, endpoint):
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url.partition("/hooks")[0])
        await endpoint.post(b"{}", HEADERS)
        assert (len(receiver.received), proxy.received) == (1, [])


@pytest.mark.parametrize("host", ["127.0.0.1", "[::ffff:127.0.0.1]", "[::1]", "127.1", "2130706433", "0x7f.1", "0"])
async def test_a_literal_address_of_this_machine_is_not_called_in_whatever_form(host: str) -> None:
    async with open_receiver() as receiver:
        port = receiver.url.rpartition(":")[2].partition("/")[0]
        for scheme in ("http", "https"):
            async with open_endpoint(config(f"{scheme}://{host}:{port}/", networks="10.0.0.0/8")) as endpoint:
                await error_of(endpoint)
                with pytest.raises(EndpointError):
                    await endpoint.resolve()
        assert receiver.received == []


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1"], ["::1"], ["169.254.169.254"], ["10.0.0.1"], ["::ffff:127.0.0.1"], ["fe80::1%lo"]]
)
async def test_a_name_that_resolves_to_a_private_address_is_not_allowed(addresses: list[str]) -> None:
    async with open_receiver() as receiver:
        url = receiver.url.replace("http://127.0.0.1", "https://hooks.example.com")
        async with open_endpoint(config(url, networks=""), resolver=FakeResolver(addresses)) as endpoint:
            assert f"{addresses[0].partition('%')[0]}" in (error := await error_of(endpoint))
            assert "is not allowed" in error
            with pytest.raises(EndpointError, match="is not allowed"):
                await endpoint.resolve()
        assert receiver.received == []


async def test_a_name_is_resolved_and_checked_for_each_request() -> None:
    """DNS rebinding: an allowed address first, then another one."""
    names = FakeResolver(["127.0.0.1"], ["127.0.0.2"])
    async with open_receiver() as receiver:
        url = receiver.url.replace("127.0.0.1", "hooks.example.com")
        async with open_endpoint(config(url, networks="127.0.0.1"), resolver=names) as endpoint:
            assert (await endpoint.post(b"{}", HEADERS)).status_code == 204
            assert "127.0.0.2 is not allowed" in await error_of(endpoint)
    assert names.requested == ["hooks.example.com"] * 2
    assert receiver.received[0].headers["host"].startswith("hooks.example.com")


async def test_a_forbidden_address_among_allowed_ones_is_not_connected_to() -> None:
    async with open_receiver() as receiver:
        url = receiver.url.replace("127.0.0.1", "hooks.example.com")
        other = "127.9.9.9"
        names = FakeResolver([other, "127.0.0.1"])
        async with open_endpoint(config(url, networks=other), resolver=names) as endpoint:
            assert "127.0.0.1 is not allowed" in await error_of(endpoint)
        assert receiver.received == []


async def test_a_silent_address_does_not_block_the_others() -> None:
    """As with a broken IPv6 route: the first packet gets no response."""
    async with open_receiver() as receiver, silent_address(receiver) as silent:
        url = receiver.url.replace("127.0.0.1", "hooks.example.com")
        async with open_endpoint(config(url), resolver=FakeResolver([silent, "127.0.0.1"])) as endpoint:
            assert (await endpoint.post(b"{}", HEADERS)).status_code == 204


async def test_a_public_address_is_not_allowed_without_encryption() -> None:
    names = FakeResolver(["93.184.216.34"])
    async with open_endpoint(config("http://hooks.example.com/"), resolver=names) as endpoint:
        assert "93.184.216.34 is not allowed: it is public, which needs https" in await error_of(endpoint)


async def test_a_name_without_addresses_is_an_error() -> None:
    async with open_endpoint(config("https://hooks.example.com/"), resolver=FakeResolver([])) as endpoint:
        assert await error_of(endpoint) == "the host name can't be resolved"
        with pytest.raises(EndpointError, match="can't be resolved"):
            await endpoint.resolve()


@pytest.mark.parametrize("host", ["a" * 64 + ".example.com", "a..example.com"])
async def test_an_invalid_name_is_an_error(host: str) -> None:
    async with open_endpoint(config(f"https://{host}/")) as endpoint:
        assert await error_of(endpoint) == "the host name can't be resolved"
        with pytest.raises(EndpointError, match="can't be resolved"):
            await endpoint.resolve()


@pytest.mark.parametrize("authority", ["x:99999", "x:http", ":443", "[::1", "[::1]x", r"x\y", "\u200d"])
async def test_an_invalid_url_prevents_the_start_and_is_not_shown(authority: str) -> None:
    with pytest.raises(StartupError, match="RENDERCAST_WEBHOOK_URL") as error:
        async with open_endpoint(config(f"https://{authority}/?key=hunter2")):
            pass
    assert "hunter2" not in str(error.value)


async def test_names_are_resolved_by_the_system() -> None:
    async with open_receiver() as receiver:
        url = receiver.url.replace("127.0.0.1", "localhost")
        async with open_endpoint(config(url, networks="127.0.0.0/8,::1")) as endpoint:
            assert (await endpoint.post(b"{}", HEADERS)).status_code == 204
            assert "127.0.0.1" in await endpoint.resolve()


async def test_a_receiver_without_tls_receives_nothing() -> None:
    async with open_receiver() as receiver:
        async with open_endpoint(config(receiver.url.replace("http:", "https:"), timeout_s=0.5)) as endpoint:
            await error_of(endpoint)
        assert receiver.received == []
