"""A server in front of the test's MongoDB that rejects some commands, as other servers or missing rights do."""

import asyncio
import struct
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import bson

OP_MSG = 2013  # https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/
HEADER = struct.Struct("<iiii")
FLAGS_AND_KIND_BYTES = 5

Command = Mapping[str, Any]
Reject = Callable[[Command], Mapping[str, Any] | None]


class MongoProxy:
    """Passes commands on, except those for which `reject` returns an error. `commands` are those received."""

    def __init__(self, port: int, reject: Reject) -> None:
        self.commands: list[Command] = []
        self._port = port
        self._reject = reject

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a connection until one of both sides closes it."""
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._port)
        answers = asyncio.ensure_future(_copy(server_reader, writer))
        try:
            while True:
                header = await reader.readexactly(HEADER.size)
                length, request_id, _, operation = HEADER.unpack(header)
                body = await reader.readexactly(length - HEADER.size)
                error = self._read(body) if operation == OP_MSG else None
                if error is None:
                    server_writer.write(header + body)
                else:
                    writer.write(_answer(request_id, error))
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            answers.cancel()
            server_writer.close()
            writer.close()

    def _read(self, body: bytes) -> Mapping[str, Any] | None:
        (length,) = struct.unpack_from("<i", body, FLAGS_AND_KIND_BYTES)
        command = bson.decode(body[FLAGS_AND_KIND_BYTES : FLAGS_AND_KIND_BYTES + length])
        self.commands.append(command)
        return self._reject(command)


@asynccontextmanager
async def open_mongo_proxy(url: str, reject: Reject) -> AsyncIterator[tuple[str, MongoProxy]]:
    """Serve on a free port; yield the URL of the same database there, with an option, and the proxy.

    It has a thread of its own, since motor blocks the test's event loop when it closes its client.
    """
    location, _, database = url.removeprefix("mongodb://").partition("/")
    proxy = MongoProxy(int(location.rpartition(":")[2]), reject)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        starting = asyncio.start_server(proxy.connected, "127.0.0.1", 0)
        server = await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(starting, loop))
        port = server.sockets[0].getsockname()[1]
        try:
            yield f"mongodb://127.0.0.1:{port}/{database}?directConnection=true", proxy
        finally:
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_end(server), loop))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _end(server: asyncio.Server) -> None:
    server.close()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def rejection(code: int, message: str) -> Mapping[str, Any]:
    """Return the response to a rejected command."""
    return {"ok": 0.0, "code": code, "errmsg": message}


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


def _answer(request_id: int, document: Mapping[str, Any]) -> bytes:
    body = bytes(FLAGS_AND_KIND_BYTES) + bson.encode(document)
    return HEADER.pack(HEADER.size + len(body), 0, request_id, OP_MSG) + body
