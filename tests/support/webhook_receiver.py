"""A server that gets webhooks, verifies them with the library of Standard Webhooks, and answers as a test says."""

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
PATIENCE_S = 30.0

Reply = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A request."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def verified(self, secret: str = SECRET) -> dict[str, Any]:
        """Return the payload, as a receiver gets it out of the library. Raises if the signature isn't good."""
        payload: dict[str, Any] = Webhook(secret).verify(self.body, self.headers)
        return payload


def status(code: int, *headers: str) -> Reply:
    """Answer with a status and nothing else."""

    async def reply(writer: asyncio.StreamWriter) -> None:
        head = (f"HTTP/1.1 {code} So", "Content-Length: 0", "Connection: close", *headers, "", "")
        writer.write("\r\n".join(head).encode())

    return reply


async def hang(writer: asyncio.StreamWriter) -> None:
    """Say nothing until the client goes."""
    del writer
    await asyncio.sleep(3600)


async def reset(writer: asyncio.StreamWriter) -> None:
    """Break the connection."""
    writer.transport.abort()


async def talk_for_ever(writer: asyncio.StreamWriter) -> None:
    """Answer 200 with a body that never ends."""
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
        await writer.drain()


async def nonsense(writer: asyncio.StreamWriter) -> None:
    """Answer in no protocol."""
    writer.write(b"I don't speak HTTP.\r\n\r\n")


@dataclass
class Receiver:
    """Keeps what it got. `replies` are used up in turn; after them it answers as `always`."""

    url: str = ""
    always: Reply = field(default_factory=lambda: status(204))
    replies: list[Reply] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def got(self, count: int) -> list[Received]:
        """Wait until it has got so many requests, and return all there are."""
        async with asyncio.timeout(PATIENCE_S), self._news:
            await self._news.wait_for(lambda: len(self.received) >= count)
        return list(self.received)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await _read(reader)
            reply = self.replies.pop(0) if self.replies else self.always
            async with self._news:
                self.received.append(request)
                self._news.notify_all()
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
    """Serve on a free port of this machine."""
    receiver = Receiver(replies=list(replies), always=always or status(204))
    tasks: set[asyncio.Task[None]] = set()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(receiver.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(begin, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hooks?key=hunter2"
    try:
        yield receiver
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def payload_of(request: Received) -> dict[str, Any]:
    """Return what a request says, believed unseen."""
    payload: dict[str, Any] = json.loads(request.body)
    return payload
