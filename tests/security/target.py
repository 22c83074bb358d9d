"""A `rendercast serve` process that tests attack, and whose memory, CPU time and connections they read from /proc."""

import asyncio
import contextlib
import json
import math
import os
import signal
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from services.settings import FIELDS
from tests.end_to_end.processes import COMMAND, Running, assert_no_traceback
from tests.security.issuer import Issuer, open_issuer
from tests.security.peers import Peer, open_peer, post
from tests.support.api_client import RETRY_S, TEST_TIMEOUT_S
from tests.support.api_stream import Stream, open_socket
from tests.support.redis_server import RedisServer

QUERY = "{ renderQuota { remaining } }"
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
MAX_CONNECTIONS = FIELDS["max_connections_per_user"].default
MAX_FILES = 400
WITH_FEW_FILES = ("sh", "-c", f'ulimit -n {MAX_FILES}; exec "$0" "$@"')
IS_LINUX = Path("/proc/self/smaps_rollup").exists()  # other systems have no such /proc


class Process:
    """A server process as seen by the kernel."""

    def __init__(self, process_id: int, port: int) -> None:
        self._id = process_id
        self._folder = Path(f"/proc/{process_id}")
        self._port = f":{port:04X}"

    def memory_bytes(self) -> int:
        """Return its anonymous memory."""
        return self._kib("smaps_rollup", "Anonymous") * 1024

    def peak_bytes(self) -> int:
        """Return its peak resident memory since `reset_peak`, mapped files included."""
        return self._kib("status", "VmHWM") * 1024

    def reset_peak(self) -> int:
        """Reset the peak, and return the present resident memory, mapped files included."""
        (self._folder / "clear_refs").write_text("5")
        return self._kib("status", "VmRSS") * 1024

    def cpu_s(self) -> float:
        """Return the CPU time of all its threads."""
        fields = (self._folder / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_S

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """Stop the process while the context is open."""
        os.kill(self._id, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self._id, signal.SIGCONT)

    async def idle(self, *, for_s: float = 2 / TICKS_PER_S) -> None:
        """Wait until it has used no CPU time for these seconds."""
        async with asyncio.timeout(TEST_TIMEOUT_S):
            before = -1.0
            while before != (before := self.cpu_s()):  # noqa: ASYNC110  # of another process
                await asyncio.sleep(for_s)

    def connections(self) -> int:
        """Return the number of open client connections."""
        lines = [line.split() for line in (self._folder / "net/tcp").read_text().splitlines()[1:]]
        return sum(
            local.endswith(self._port) and not remote.endswith(":0000") and inode != "0"
            for _, local, remote, _, _, _, _, _, _, inode, *_ in lines
        )

    def _kib(self, file: str, name: str) -> int:
        return int((self._folder / file).read_text().partition(f"{name}:")[2].split()[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The server, its issuer, and the tokens of attackers, who are normal users."""

    url: str
    process: Process
    issuer: Issuer
    tokens: list[str]  # of enough users for 100 connections

    def params(self, connection: int = 0) -> dict[str, object]:
        """Return the `connection_init` parameters of an attacker who has not reached the limit of connections."""
        return {"Authorization": f"Bearer {self.tokens[connection // MAX_CONNECTIONS]}"}

    def request(self, body: bytes, *headers: str, length: int | None = None) -> bytes:
        """Return an attacker's request with this body."""
        return post(body, f"Authorization: Bearer {self.tokens[0]}", *headers, length=length)

    def request_in_chunks(self, chunks: bytes) -> bytes:
        """Return an attacker's request with a chunked body."""
        head = self.request(b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
        return head + chunks


Attack = Callable[[Target], AbstractAsyncContextManager[None]]  # in progress or complete while the context is open


class Bystander:
    """Another user, with an HTTP connection and a WebSocket opened before the attack."""

    def __init__(self, target: Target, peer: Peer, stream: Stream, request: bytes) -> None:
        self._target = target
        self._peer = peer
        self._stream = stream
        self._request = request

    async def check_responses(self) -> None:
        """Require a response on a new connection and on each open one."""
        async with open_peer(self._target.url) as newcomer:
            for peer in (newcomer, self._peer):
                await peer.send(self._request)
                status, body = await peer.read_response()
                assert (status, b'"remaining"' in body) == (200, True)
        await self._stream.subscribe(QUERY)
        assert "remaining" in await self._stream.next()
        assert (await self._stream.receive())["type"] == "complete"


@asynccontextmanager
async def open_bystander(target: Target) -> AsyncIterator[Bystander]:
    token = target.issuer.token("bystander")
    request = post(json.dumps({"query": QUERY}).encode(), f"Authorization: Bearer {token}")
    async with open_peer(target.url) as peer, open_socket(target.url.replace("http", "ws", 1) + "/graphql") as socket:
        stream = Stream(socket)
        await stream.send(type="connection_init", payload={"Authorization": f"Bearer {token}"})
        assert await stream.receive() == {"type": "connection_ack"}
        bystander = Bystander(target, peer, stream, request)
        await bystander.check_responses()
        yield bystander


async def memory_at_rest(target: Target) -> int:
    """Wait until the server has no connections and is idle, and return its anonymous memory."""
    async with asyncio.timeout(TEST_TIMEOUT_S):
        while target.process.connections():  # noqa: ASYNC110  # of another process
            await asyncio.sleep(RETRY_S)
    await target.process.idle()
    return target.process.memory_bytes()


@asynccontextmanager
async def open_target(folder: Path, mongo_url: str) -> AsyncIterator[Target]:
    """Run a server with its own Redis and database. Requires at the end that it has logged no traceback."""
    redis = RedisServer(folder)
    async with open_issuer() as issuer:
        settings = {
            "renderer": "text",
            "data_dir": folder / "data",
            "jwt_issuer": issuer.url,
            "jwt_leeway_s": 0,
            "MONGODB_URL": f"{mongo_url}/test-{uuid.uuid4()}",
            "REDIS_URL": redis.url,
        }
        with contextlib.ExitStack() as stack:
            stack.callback(redis.stop)
            redis.start()
            running = Running(folder, [*WITH_FEW_FILES, COMMAND, "serve", "--port", "0"], settings)
            stack.callback(running.close)
            process = Process(running.process.pid, int(running.url.rpartition(":")[2]))
            tokens = [issuer.token(f"attacker {number}") for number in range(math.ceil(100 / MAX_CONNECTIONS))]
            yield Target(url=running.url, process=process, issuer=issuer, tokens=tokens)
            assert running.end() == 0
            assert_no_traceback(running.log)
