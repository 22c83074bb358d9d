"""Remotion's webhooks about the end of a render, received over the real route."""

import asyncio
import contextlib
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.backends.remotion_lambda.webhooks import MAX_BODY_BYTES
from services.ids import new_render_id
from services.realtime.change_publisher import WORK_CHANNEL
from services.realtime.pubsub import open_pubsub
from services.runtime.services import Services, compose
from services.settings import load_settings
from tests.security.peers import open_peer
from tests.support.api_client import Client, open_client
from tests.support.api_server import serve
from tests.support.fake_clock import START_OF_TIME
from tests.support.lambda_player import Webhooks
from tests.support.memory_store import MemoryStore
from tests.support.remotion_farm import Farm
from tests.support.server_process import free_port

SECRET = "sixteen characters or more"  # noqa: S105  # for tests only
LONG_POLL = timedelta(seconds=50)  # longer than a test runs
RENDER_ID = new_render_id(START_OF_TIME)
BODY = {"type": "success", "renderId": "abcdefghij", "customData": {"render": RENDER_ID}}


@dataclass(frozen=True, slots=True)
class Receiver:
    """A server that receives webhooks, and the render ids that it published to workers."""

    services: Services
    client: Client
    hints: list[str]

    async def post(self, body: bytes, *, secret: str = SECRET, **headers: str) -> int:
        signature = "sha512=" + hmac.new(secret.encode(), body, hashlib.sha512).hexdigest()
        given = {"X-Remotion-Signature": signature, **headers}
        response = await self.client.http.post("/webhooks/remotion", content=body, headers=given)
        assert response.content == b""
        return response.status_code


@asynccontextmanager
async def receiving(
    farm: Farm, folder: Path, *, poll_interval: timedelta = LONG_POLL, **given: object
) -> AsyncIterator[Receiver]:
    port = free_port()
    settings = load_settings(data_dir=folder, remotion_webhook_secret=SECRET, **given)
    hints: list[str] = []
    async with (
        farm.open(
            poll_interval=poll_interval, webhook_base_url=f"http://127.0.0.1:{port}", webhook_secret=SECRET
        ) as backend,
        open_pubsub("memory://") as pubsub,
        pubsub.subscribe(WORK_CHANNEL, hints.extend),
    ):
        services = compose(
            settings,
            clock=farm.clock,
            store=MemoryStore(farm.clock),
            pubsub=pubsub,
            backend=backend,
            with_worker=True,
        )
        async with serve(services, port=port) as url, open_client(url, user="ann") as client:
            yield Receiver(services, client, hints)


@pytest.fixture
async def receiver(farm: Farm, tmp_path: Path) -> AsyncIterator[Receiver]:
    async with receiving(farm, tmp_path) as receiver:
        yield receiver


async def test_a_genuine_webhook_makes_the_worker_poll_at_once(receiver: Receiver, farm: Farm) -> None:
    """The poll interval is longer than this test."""
    done = await receiver.client.until(await receiver.client.start_render(), status="COMPLETE")
    assert done["attempt"] == 1
    (sent,) = farm.function.webhooks_sent
    assert sent.status == 200
    assert json.loads(sent.body)["customData"] == {"render": done["id"]}


@pytest.mark.parametrize("mode", [Webhooks.LOST, Webhooks.DOUBLED, Webhooks.EARLY])
async def test_polling_completes_renders_whatever_happens_to_webhooks(
    farm: Farm, tmp_path: Path, mode: Webhooks
) -> None:
    farm.function.webhooks = mode
    async with receiving(farm, tmp_path, poll_interval=timedelta(milliseconds=50)) as receiver:
        done = await receiver.client.until(await receiver.client.start_render(), status="COMPLETE")
    assert done["attempt"] == 1
    # 503 while the server stops, 0 after that.
    assert {sent.status for sent in farm.function.webhooks_sent} <= {200, 503, 0}


async def test_a_forged_webhook_is_rejected_and_not_published(receiver: Receiver) -> None:
    body = json.dumps(BODY).encode()
    genuine = "sha512=" + hmac.new(SECRET.encode(), body, hashlib.sha512).hexdigest()
    assert await receiver.post(body, secret="another") == 401  # noqa: S106
    for signature in ("", "NO_SECRET_PROVIDED", "sha512=", genuine[:-1], genuine.upper()):
        assert await receiver.post(body, **{"X-Remotion-Signature": signature}) == 401
    assert await receiver.post(body + b" ", **{"X-Remotion-Signature": genuine}) == 401
    not_ascii = await receiver.client.http.post(
        "/webhooks/remotion", content=body, headers={b"X-Remotion-Signature": b"\xff"}
    )
    assert not_ascii.status_code == 401
    unsigned = await receiver.client.http.post("/webhooks/remotion", content=body)
    assert (unsigned.status_code, unsigned.content) == (401, b"")
    assert receiver.hints == []
    assert await receiver.post(body) == 200
    assert receiver.hints == [RENDER_ID]


WITHOUT_RENDER_ID: list[Any] = [
    None,
    1,
    [],
    {},
    {"customData": None},
    {"customData": {"render": 1}},
    {"customData": {"render": "x"}},
    {"customData": {"render": "../../etc"}},
]


@pytest.mark.parametrize(
    "body", [*(json.dumps(each).encode() for each in WITHOUT_RENDER_ID), b"", b"{", b"\xff", b"[" * 9999]
)
async def test_a_genuine_webhook_without_a_render_id_does_nothing(receiver: Receiver, body: bytes) -> None:
    assert await receiver.post(body) == 200
    assert receiver.hints == []


async def test_a_webhook_does_not_change_an_ended_render(receiver: Receiver) -> None:
    done = await receiver.client.until(await receiver.client.start_render(), status="COMPLETE")
    again = json.dumps({**BODY, "type": "error", "customData": {"render": done["id"]}}).encode()
    assert await receiver.post(again) == 200
    assert await receiver.client.until(done["id"], status="COMPLETE")


async def test_a_body_that_is_too_large_is_rejected(receiver: Receiver) -> None:
    body = json.dumps(BODY).encode()
    assert await receiver.post(body.rjust(MAX_BODY_BYTES)) == 200
    assert await receiver.post(body.rjust(MAX_BODY_BYTES + 1)) == 413


async def test_an_endless_body_is_not_read_to_its_end(farm: Farm, tmp_path: Path) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65_536

    async with receiving(farm, tmp_path, request_timeout_s=1) as receiver:
        with contextlib.suppress(httpx.TransportError):  # the server disconnects before the client has sent all
            signed = {"X-Remotion-Signature": "sha512=" + "0" * 128}
            counted = await receiver.client.http.post("/webhooks/remotion", content=endless(), headers=signed)
            assert counted.status_code == 413


@pytest.mark.parametrize("signature", ["", "NO_SECRET_PROVIDED", "sha512=0", "sha256=" + "0" * 128])
async def test_without_a_signature_a_webhook_is_rejected_before_its_body_is_read(
    receiver: Receiver, signature: str
) -> None:
    async with open_peer(str(receiver.client.http.base_url)) as peer:
        headers = f"Host: {peer.host}\r\nContent-Length: 1000\r\nX-Remotion-Signature: {signature}\r\n"
        await peer.send(f"POST /webhooks/remotion HTTP/1.1\r\n{headers}\r\n{{".encode())
        assert b"401" in await peer.read_until(b"\r\n\r\n")


async def test_a_sender_that_disconnects_causes_no_traceback(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    address = receiver.client.http.base_url
    for _ in range(20):
        _, writer = await asyncio.open_connection(address.host, address.port)
        writer.write(b"POST /webhooks/remotion HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf")
        await writer.drain()
        writer.transport.abort()
    assert await receiver.post(json.dumps(BODY).encode()) == 200
    assert "Traceback" not in caplog.text


async def test_there_is_no_route_for_other_methods_or_without_the_setting(receiver: Receiver, tmp_path: Path) -> None:
    assert (await receiver.client.http.get("/webhooks/remotion")).status_code == 405
    settings = load_settings(data_dir=tmp_path / "other")
    async with open_pubsub("memory://") as pubsub:
        services = compose(
            settings,
            clock=receiver.services.clock,
            store=MemoryStore(),
            pubsub=pubsub,
            backend=None,
            with_worker=False,
        )
        async with serve(services) as url, httpx.AsyncClient(base_url=url, trust_env=False) as http:
            assert (await http.post("/webhooks/remotion")).status_code == 404
