"""A Node process that runs clients of @rendercast/client for tests."""

import asyncio
import contextlib
import json
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from tests.support.api_client import TEST_TIMEOUT_S
from tests.typescript_client.package import NODE, WEBSOCKET

PROGRAM = Path(__file__).with_name("program.mjs")
MAX_LINE_BYTES = 16 * 1024 * 1024
CALL_TIMEOUT_S = 2 * TEST_TIMEOUT_S  # clients replace a silent connection after 20 s
UNFINISHED = {"QUEUED", "RENDERING"}

State = dict[str, Any]
Tokens = Callable[..., str | None]
"""Returns the next token; None: not yet. `rejected` says whether the server has rejected the previous one."""


class CallError(Exception):
    """A call has rejected. `kind` is the name of the error's class, `details` are its properties."""

    def __init__(self, error: dict[str, Any]) -> None:
        self.kind = str(error["kind"])
        self.details = error
        super().__init__(f"{self.kind}: {error['message']}")


@dataclass(kw_only=True)
class Call:
    """A call of a client's method, and the values that it has returned or yielded so far."""

    program: "Program"
    number: int
    values: list[Any] = field(default_factory=list)
    _new: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)
    is_done: bool = False

    async def next(self) -> Any:
        """Return the next value. Raises `CallError`, and `EOFError` at the end."""
        async with asyncio.timeout(CALL_TIMEOUT_S):
            message = await self._new.get()
        if "value" in message:
            self.values.append(message["value"])
            return message["value"]
        self.is_done = True
        if "error" in message:
            raise CallError(message["error"])
        raise EOFError

    async def rest(self) -> list[Any]:
        """Return all values, when the call has ended."""
        with contextlib.suppress(EOFError):
            while True:
                await self.next()
        return self.values

    async def until(self, is_wanted: Callable[[Any], bool]) -> Any:
        """Return the first value that is wanted."""
        while not is_wanted(value := await self.next()):
            pass
        return value

    def abort(self) -> None:
        self.program.send("abort", call=self.number)

    def end(self) -> None:
        """Call the iterator's `return()`."""
        self.program.send("return", call=self.number)

    def receive(self, message: dict[str, Any]) -> None:
        self._new.put_nowait(message)


@dataclass(kw_only=True)
class Client:
    """A client of the program."""

    program: "Program"
    name: str
    tokens: Tokens | None
    rejections: int = 0  # how often the token function was called for a rejected token

    def start(self, method: str, *arguments: object) -> Call:
        """Call a method without waiting for its value."""
        call = self.program.new_call()
        self.program.send("run", client=self.name, call=call.number, method=method, args=arguments)
        return call

    async def call(self, method: str, *arguments: object) -> Any:
        """Return the value of a method. Raises `CallError`."""
        values = await self.start(method, *arguments).rest()
        return values[-1] if values else None

    def watch(self, render_id: str) -> Call:
        return self.start("watch", render_id)

    def answer(self, *, rejected: bool) -> None:
        """Send the token that the client has asked for."""
        self.rejections += rejected
        assert self.tokens is not None
        try:
            token = self.tokens(rejected=rejected)
        except ValueError as error:
            self.program.send("answer", client=self.name, failure=str(error))
        else:
            if token is not None:
                self.program.send("answer", client=self.name, token=token)


class Program:
    """The process and its clients."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._calls: dict[int, Call] = {}
        self._clients: dict[str, Client] = {}
        self._numbers = count(1)

    def open(self, url: str, *, tokens: Tokens | None = None, **config: object) -> Client:
        """Create a client."""
        client = Client(program=self, name=f"client {next(self._numbers)}", tokens=tokens)
        self._clients[client.name] = client
        self.send("open", client=client.name, hasTokens=tokens is not None, config={"url": url, **config})
        return client

    def open_each(self, url: str, *, tokens: Tokens | None = None) -> Sequence[Client]:
        """Create a client for each transport."""
        return [self.open(url, tokens=tokens, transports=[name]) for name in ("websocket", "sse", "polling")]

    def new_call(self) -> Call:
        call = Call(program=self, number=next(self._numbers))
        self._calls[call.number] = call
        return call

    def send(self, command: str, **message: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"command": command, **message}).encode() + b"\n")

    async def read(self) -> None:
        """Dispatch what the process writes until it ends."""
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            message = json.loads(line)
            if "call" in message:
                self._calls[message["call"]].receive(message)
            else:
                self._clients[message["client"]].answer(rejected=message["rejected"])

    async def close(self) -> None:
        """End the input. The process must end by itself, since its clients have no connections."""
        assert self._process.stdin is not None
        assert self._process.stderr is not None
        self._process.stdin.close()
        async with asyncio.timeout(TEST_TIMEOUT_S):
            errors = await self._process.stderr.read()
            code = await self._process.wait()
        assert (code, errors) == (0, b""), (code, errors.decode())


@asynccontextmanager
async def open_program(client: Path) -> AsyncIterator[Program]:
    """Start the program with a build of the client. Fails if it writes to stderr, or goes on after its input's end."""
    process = await asyncio.create_subprocess_exec(
        NODE, PROGRAM, client, WEBSOCKET, stdin=PIPE, stdout=PIPE, stderr=PIPE, limit=MAX_LINE_BYTES
    )
    program = Program(process)
    reading = asyncio.create_task(program.read())
    try:
        yield program
        await program.close()
        await reading
    finally:
        reading.cancel()
        if process.returncode is None:
            process.kill()
            await process.wait()


def assert_in_order(states: Sequence[State], *, status: str = "COMPLETE") -> None:
    """Assert that the states are newer and newer, and that only the last one is final."""
    assert states
    revisions = [state["revision"] for state in states]
    assert revisions == sorted(set(revisions)), revisions
    assert [state["progress"] for state in states] == sorted(state["progress"] for state in states)
    assert all(state["status"] in UNFINISHED for state in states[:-1])
    assert states[-1]["status"] == status
