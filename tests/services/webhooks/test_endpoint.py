"""The receiver, over real connections on loopback: what it may do to us, and where we go."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from services.errors import StartupError
from services.webhooks.addresses import read_networks
from services.webhooks.configuration import EndpointRules
from services.webhooks.endpoint import EndpointError, WebhookEndpoint, open_endpoint
from tests.support.server_process import free_port
from tests.support.webhook_receiver import (
    KEY,
    Receiver,
    Reply,
    hang,
    nonsense,
    open_receiver,
    reset,
    status,
    talk_for_ever,
)

HEADERS = {"content-type": "application/json"}
LOOPBACK = read_networks("127.0.0.0/8")


class Names(AbstractResolver):
    """A DNS of one's own. Of several lists of addresses, each look-up gets the next."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.asked: list[str] = []
        self._answers = list(answers)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        del family
        self.asked.append(host)
        addresses = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if not addresses:
            raise OSError("no such name")
        kinds = {address: socket.AF_INET6 if ":" in address else socket.AF_INET for address in addresses}
        return [
            ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=0)
            for address, kind in kinds.items()
        ]

    async def close(self) -> None: ...


def rules(url: str, *, networks: str = "127.0.0.0/8", timeout_s: float = 20.0) -> EndpointRules:
    return EndpointRules(url=url, secrets=(KEY,), networks=read_networks(networks), timeout_s=timeout_s)


@asynccontextmanager
async def receiving(*replies: Reply, timeout_s: float = 20.0) -> AsyncIterator[tuple[Receiver, WebhookEndpoint]]:
    async with (
        open_receiver(*replies) as receiver,
        open_endpoint(rules(receiver.url, timeout_s=timeout_s)) as endpoint,
    ):
        yield receiver, endpoint


@asynccontextmanager
async def silent_address(receiver: Receiver) -> AsyncIterator[str]:
    """An address of this machine where the receiver's port takes no connection and refuses none: its queue is full."""
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


async def fault_of(endpoint: WebhookEndpoint) -> str:
    with pytest.raises(EndpointError) as fault:
        await endpoint.post(b"{}", HEADERS)
    assert "hunter2" not in str(fault.value)
    return str(fault.value)


async def test_it_gets_a_post_with_the_body_and_the_headers_and_its_answer_is_told() -> None:
    async with receiving(status(429, "Retry-After: 7")) as (receiver, endpoint):
        answer = await endpoint.post(b'{"a":1}', HEADERS)
        (request,) = receiver.received
    assert (answer.status_code, answer.retry_after) == (429, "7")
    assert (request.method, request.target, request.body) == ("POST", "/hooks?key=hunter2", b'{"a":1}')
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"].startswith("Rendercast")
    assert "cookie" not in request.headers


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (hang, "no answer within 0.2 s"),
        (reset, "the connection ended before an answer"),
        (nonsense, "no answer that is understood"),
    ],
)
async def test_a_receiver_that_does_not_answer_is_a_fault_in_words(reply: Reply, words: str) -> None:
    async with receiving(reply, timeout_s=0.2) as (_, endpoint):
        assert words in await fault_of(endpoint)


async def test_nobody_there_is_a_fault() -> None:
    async with open_endpoint(rules(f"http://127.0.0.1:{free_port()}/")) as endpoint:
        assert "no connection" in await fault_of(endpoint)


async def test_a_body_that_never_ends_is_not_read() -> None:
    async with receiving(talk_for_ever) as (_, endpoint):
        assert (await endpoint.post(b"{}", HEADERS)).status_code == 200


async def test_a_head_that_never_ends_is_not_kept() -> None:
    async def headers(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"X-More: " + b"x" * 4000 + b"\r\n")
            await writer.drain()

    async with receiving(headers) as (_, endpoint):
        assert "no answer that is understood" in await fault_of(endpoint)


@pytest.mark.parametrize("code", [301, 302, 307, 308])
async def test_redirects_are_not_followed(code: int) -> None:
    async with open_receiver() as private, receiving(status(code, f"Location: {private.url}")) as (_, endpoint):
        assert (await endpoint.post(b"{}", HEADERS)).status_code == code
        assert private.received == []


async def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
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
            async with open_endpoint(rules(f"{scheme}://{host}:{port}/", networks="10.0.0.0/8")) as endpoint:
                await fault_of(endpoint)
                with pytest.raises(EndpointError):
                    await endpoint.look_up()
        assert receiver.received == []


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1"], ["::1"], ["169.254.169.254"], ["10.0.0.1"], ["::ffff:127.0.0.1"], ["fe80::1%lo"]]
)
async def test_a_name_that_leads_to_a_private_address_is_not_called(addresses: list[str]) -> None:
    async with open_receiver() as receiver:
        url = receiver.url.replace("http://127.0.0.1", "https://hooks.example.com")
        async with open_endpoint(rules(url, networks=""), resolver=Names(addresses)) as endpoint:
            assert f"{addresses[0].partition('%')[0]}" in (words := await fault_of(endpoint))
            assert "may not be called" in words
            with pytest.raises(EndpointError, match="may not be called"):
                await endpoint.look_up()
        assert receiver.received == []


async def test_a_name_is_asked_for_each_time_and_what_it_means_then_is_what_is_checked() -> None:
    """As a rebinding receiver has it: an admitted address first, another one afterwards."""
    names = Names(["127.0.0.1"], ["127.0.0.2"])
    async with open_receiver() as receiver:
        url = receiver.url.replace("127.0.0.1", "hooks.example.com")
        async with open_endpoint(rules(url, networks="127.0.0.1"), resolver=names) as endpoint:
            assert (await endpoint.post(b"{}", HEADERS)).status_code == 204
            assert "127.0.0.2 may not be called" in await fault_of(endpoint)
    assert names.asked == ["hooks.example.com"] * 2
    assert receiver.received[0].headers["host"].startswith("hooks.example.com")


async def test_a_name_that_has_an_address_among_others_that_may_not_be_called_is_not_called_there() -> None:
    async with open_receiver() as receiver:
        url = receiver.url.replace("127.0.0.1", "hooks.example.com")
        nobody = "127.9.9.9"
        names = Names([nobody, "127.0.0.1"])
        async with open_endpoint(rules(url, networks=nobody), resolver=names) as endpoint:
            assert "127.0.0.1 may not be called" in await fault_of(endpoint)
        assert receiver.received == []


async def test_an_address_that_does_not_answer_keeps_nobody_from_the_others() -> None:
    """As where IPv6 leads nowhere: without an answer to the first packet there is nothing to see but silence."""
    async with open_receiver() as receiver, silent_address(receiver) as silent:
        url = receiver.url.replace("127.0.0.1", "hooks.example.com")
        async with open_endpoint(rules(url), resolver=Names([silent, "127.0.0.1"])) as endpoint:
            assert (await endpoint.post(b"{}", HEADERS)).status_code == 204


async def test_a_public_address_is_not_called_without_encryption() -> None:
    names = Names(["93.184.216.34"])
    async with open_endpoint(rules("http://hooks.example.com/"), resolver=names) as endpoint:
        assert "93.184.216.34 may not be called: it is public, which needs https" in await fault_of(endpoint)


async def test_a_name_that_has_no_address_is_a_fault() -> None:
    async with open_endpoint(rules("https://hooks.example.com/"), resolver=Names([])) as endpoint:
        assert await fault_of(endpoint) == "its name can't be resolved"
        with pytest.raises(EndpointError, match="can't be resolved"):
            await endpoint.look_up()


@pytest.mark.parametrize("host", ["a" * 64 + ".example.com", "a..example.com"])
async def test_a_name_that_can_be_none_is_a_fault(host: str) -> None:
    async with open_endpoint(rules(f"https://{host}/")) as endpoint:
        assert await fault_of(endpoint) == "its name can't be resolved"
        with pytest.raises(EndpointError, match="can't be resolved"):
            await endpoint.look_up()


@pytest.mark.parametrize("authority", ["x:99999", "x:http", ":443", "[::1", "[::1]x", r"x\y", "\u200d"])
async def test_a_url_that_leads_nowhere_stops_the_start_and_is_not_shown(authority: str) -> None:
    with pytest.raises(StartupError, match="RENDERCAST_WEBHOOK_URL") as error:
        async with open_endpoint(rules(f"https://{authority}/?key=hunter2")):
            pass
    assert "hunter2" not in str(error.value)


async def test_the_systems_names_are_asked_in_threads_of_their_own() -> None:
    async with open_receiver() as receiver:
        url = receiver.url.replace("127.0.0.1", "localhost")
        async with open_endpoint(rules(url, networks="127.0.0.0/8,::1")) as endpoint:
            assert (await endpoint.post(b"{}", HEADERS)).status_code == 204
            assert "127.0.0.1" in await endpoint.look_up()


async def test_who_speaks_no_tls_gets_nothing() -> None:
    async with open_receiver() as receiver:
        async with open_endpoint(rules(receiver.url.replace("http:", "https:"), timeout_s=0.5)) as endpoint:
            await fault_of(endpoint)
        assert receiver.received == []
