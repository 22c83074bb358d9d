"""A server that receives webhooks, can verify them with the Standard Webhooks library, and responds as a test sets."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from standardwebhooks.webhooks import Webhook

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()
TEST_TIMEOUT_S = 30.0

Reply = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A received request."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def verified(self, secret: str = SECRET) -> dict[str, Any]:
        """Return the payload, verified by the library. Raises `WebhookVerificationError`."""
        payload: dict[str, Any] = Webhook(secret).verify(self.body, self.headers)
        return payload


def status(code: int, *headers: str) -> Reply:
    """Return a reply with this status and no body."""

    async def reply(writer: asyncio.StreamWriter) -> None:
        head = (f"HTTP/1.1 {code} So", "Content-Length: 0", "Connection: close", *headers, "", "")
        writer.write("\r\n".join(head).encode())

    return reply


async def hang(writer: asyncio.StreamWriter) -> None:
    """Send nothing until the client disconnects."""
    del writer
    await asyncio.sleep(3600)


async def reset(writer: asyncio.StreamWriter) -> None:
    """Reset the connection."""
    writer.transport.abort()


async def endless_body(writer: asyncio.StreamWriter) -> None:
    """Respond 200 with an endless body."""
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
        await writer.drain()


async def nonsense(writer: asyncio.StreamWriter) -> None:
    """Respond with what is not HTTP."""
    writer.write(b"I don't speak HTTP.\r\n\r\n")


@dataclass
class Receiver:
    """Stores what it receives. Sends each of `replies` once, in order, then `always`."""

    url: str = ""
    always: Reply = field(default_factory=lambda: status(204))
    replies: list[Reply] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def got(self, count: int) -> list[Received]:
        """Wait for at least this many requests, and return all that were received."""
        async with asyncio.timeout(TEST_TIMEOUT_S), self._changed:
            await self._changed.wait_for(lambda: len(self.received) >= count)
        return list(self.received)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await _read(reader)
            reply = self.replies.pop(0) if self.replies else self.always
            async with self._changed:
                self.received.append(request)
                self._changed.notify_all()
            await reply(writer)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
    method, target, _ = head[0].split()
    headers = dict(_header(line) for line in head[1:] if line)
    body = await reader.readexactly(int(headers["content-length"]))
    return Received(method=method, target=target, headers=headers, body=body)


def _header(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.lower(), value.strip()


@asynccontextmanager
async def open_receiver(*replies: Reply, always: Reply | None = None) -> AsyncIterator[Receiver]:
    """Serve on a free port of the loopback interface."""
    receiver = Receiver(replies=list(replies), always=always or status(204))
    tasks: set[asyncio.Task[None]] = set()

    def on_connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(receiver.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(on_connect, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hooks?key=hunter2"
    try:
        yield receiver
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def payload_of(request: Received) -> dict[str, Any]:
    """Return the payload of a request, not verified."""
    payload: dict[str, Any] = json.loads(request.body)
    return payload
