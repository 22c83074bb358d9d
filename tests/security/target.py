"""A server in a process of its own, as `rendercast serve` protects it, that is attacked and looked at from outside."""

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
from tests.end_to_end.processes import COMMAND, Running
from tests.security.issuer import Issuer, open_issuer
from tests.security.peers import Peer, open_peer, post
from tests.support.api_client import PATIENCE_S, RETRY_S, Stream, open_socket
from tests.support.redis_server import RedisServer

QUERY = "{ renderQuota { remaining } }"
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
MAX_CONNECTIONS = FIELDS["max_connections_per_user"].default
MAX_FILES = 400
WITH_FEW_FILES = ("sh", "-c", f'ulimit -n {MAX_FILES}; exec "$0" "$@"')
IS_LINUX = Path("/proc/self/smaps_rollup").exists()  # no other system tells of a process what is asked here


class Process:
    """What the kernel tells of a server."""

    def __init__(self, process_id: int, port: int) -> None:
        self._id = process_id
        self._folder = Path(f"/proc/{process_id}")
        self._port = f":{port:04X}"

    def memory_bytes(self) -> int:
        """Return how much it has that is in no file."""
        return self._kib("smaps_rollup", "Anonymous") * 1024

    def peak_bytes(self) -> int:
        """Return the most it had at once since `forget_peak`, files included."""
        return self._kib("status", "VmHWM") * 1024

    def forget_peak(self) -> int:
        """Return what it has now, files included, which is its peak from now on."""
        (self._folder / "clear_refs").write_text("5")
        return self._kib("status", "VmRSS") * 1024

    def cpu_s(self) -> float:
        """Return how long its threads have been computing, in all."""
        fields = (self._folder / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_S

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """Have it do nothing meanwhile."""
        os.kill(self._id, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self._id, signal.SIGCONT)

    async def idle(self) -> None:
        """Wait until it computes no more."""
        async with asyncio.timeout(PATIENCE_S):
            before = -1.0
            while before != (before := self.cpu_s()):  # noqa: ASYNC110  # in another process
                await asyncio.sleep(2 / TICKS_PER_S)

    def connections(self) -> int:
        """Return how many clients' connections it has not closed."""
        lines = [line.split() for line in (self._folder / "net/tcp").read_text().splitlines()[1:]]
        return sum(
            local.endswith(self._port) and not remote.endswith(":0000") and inode != "0"
            for _, local, remote, _, _, _, _, _, _, inode, *_ in lines
        )

    def _kib(self, file: str, name: str) -> int:
        return int((self._folder / file).read_text().partition(f"{name}:")[2].split()[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The server, whom it trusts, and who attack it: users like any other."""

    url: str
    process: Process
    issuer: Issuer
    tokens: list[str]  # of as many users as it takes for 100 connections

    def params(self, connection: int = 0) -> dict[str, object]:
        """Return what introduces one who attacks, and another one if they have too many connections already."""
        return {"Authorization": f"Bearer {self.tokens[connection // MAX_CONNECTIONS]}"}

    def request(self, body: bytes, *headers: str, length: int | None = None) -> bytes:
        """Return a request of one who attacks, to execute the body."""
        return post(body, f"Authorization: Bearer {self.tokens[0]}", *headers, length=length)

    def request_in_chunks(self, chunks: bytes) -> bytes:
        """Return the same, which tells no length."""
        head = self.request(b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
        return head + chunks


Attack = Callable[[Target], AbstractAsyncContextManager[None]]  # under way, or done, as long as it is open


class Bystander:
    """Another user, with a connection of each kind that was open before."""

    def __init__(self, target: Target, peer: Peer, stream: Stream, request: bytes) -> None:
        self._target = target
        self._peer = peer
        self._stream = stream
        self._request = request

    async def is_answered(self) -> None:
        """Require an answer on a new connection and on each open one."""
        async with open_peer(self._target.url) as newcomer:
            for peer in (newcomer, self._peer):
                await peer.send(self._request)
                status, body = await peer.answer()
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
        await bystander.is_answered()
        yield bystander


async def at_rest(target: Target) -> int:
    """Wait until the server has let go of all connections and does nothing, and return how much memory it has then."""
    async with asyncio.timeout(PATIENCE_S):
        while target.process.connections():  # noqa: ASYNC110  # in another process
            await asyncio.sleep(RETRY_S)
    await target.process.idle()
    return target.process.memory_bytes()


@asynccontextmanager
async def open_target(folder: Path, mongo_url: str) -> AsyncIterator[Target]:
    """Run the server on a Redis and a database of its own. It has logged no traceback in the end."""
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
            assert "Traceback" not in running.log
