"""The client of Rendercast's API for programs without asyncio: the same methods, which block.

An `AsyncClient` runs in a thread with an event loop, so that it works also where another loop runs, as in Jupyter.
"""

import asyncio
import threading
import weakref
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, wait
from contextlib import suppress
from functools import wraps
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar, overload

from rendercast.client.addresses import Token
from rendercast.client.async_client import RETRY_TIMEOUT_S, AsyncClient
from rendercast.client.inputs import AnimationOptions, OutputInput, StartRenderInput
from rendercast.client.results import Render
from rendercast.client.watching import TRANSPORTS, Transport

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

CLOSE_TIMEOUT_S = 10.0
CHECK_INTERVAL_S = 1.0  # between two checks that the thread still runs
END = object()


class _LoopThread:
    """A thread that runs an event loop from the first call until `stop`."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop
        self._stopping: asyncio.Event
        self._is_closed = False

    def run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """Return the result of a coroutine. If the wait for it is interrupted, it is cancelled.

        Raises `RuntimeError` if the client is closed, in a forked process, and in the thread itself.
        """
        try:
            thread = self._running_thread()
            future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        except RuntimeError:
            coroutine.close()
            raise
        try:
            while thread.is_alive() and not wait([future], timeout=CHECK_INTERVAL_S).done:
                pass
            if not future.done():
                future.cancel()
            return future.result()
        except CancelledError:
            raise RuntimeError("The client is closed.") from None
        except BaseException:
            future.cancel()
            raise

    def finish(self, states: AsyncGenerator[Any, None]) -> None:
        """Close an iterator of states that is no longer used."""
        if self._thread is threading.current_thread():  # by the garbage collector
            self._loop.create_task(states.aclose())
            return
        with suppress(RuntimeError):  # closed: then the states are too
            self.run(_closed(states))

    def stop(self) -> None:
        """Close the client and end the thread."""
        with self._lock:
            self._is_closed = True
        if self._thread is None or not self._thread.is_alive():
            return
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._stopping.set)
        if self._thread is not threading.current_thread():
            self._thread.join(CLOSE_TIMEOUT_S)

    def _running_thread(self) -> threading.Thread:
        with self._lock:
            if self._is_closed:
                raise RuntimeError("The client is closed.")
            if self._thread is None:
                has_started = threading.Event()
                self._thread = threading.Thread(
                    target=self._serve, args=(has_started,), name="rendercast-client", daemon=True
                )
                self._thread.start()
                has_started.wait()
        if self._thread is threading.current_thread():
            raise RuntimeError("The function `token` must not use the client that calls it.")
        if not self._thread.is_alive():
            raise RuntimeError("The client was used before this process was forked. Make a client in each process.")
        return self._thread

    def _serve(self, has_started: threading.Event) -> None:
        try:
            asyncio.run(self._main(has_started))
        finally:
            has_started.set()

    async def _main(self, has_started: threading.Event) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        async with self._client:
            has_started.set()
            await self._stopping.wait()


def _blocking(
    method: Callable[Concatenate[AsyncClient, Arguments], Coroutine[Any, Any, Result]],
) -> Callable[Concatenate["Client", Arguments], Result]:
    """Return a method that waits for the result of an `AsyncClient`'s method."""

    @wraps(method)
    def call(self: "Client", /, *args: Arguments.args, **options: Arguments.kwargs) -> Result:
        return self._thread.run(method(self._client, *args, **options))

    return call


def _iterating(
    method: Callable[Concatenate[AsyncClient, Arguments], AsyncGenerator[Result, None]],
) -> Callable[Concatenate["Client", Arguments], Iterator[Result]]:
    """Return a method that iterates over what an `AsyncClient`'s method yields."""

    @wraps(method)
    def iterate(self: "Client", /, *args: Arguments.args, **options: Arguments.kwargs) -> Iterator[Result]:
        values = method(self._client, *args, **options)
        try:
            while (value := self._thread.run(_next(values))) is not END:
                yield value
        finally:
            self._thread.finish(values)

    return iterate


async def _next(values: AsyncGenerator[Any, None]) -> Any:
    return await anext(values, END)


async def _closed(values: AsyncGenerator[Any, None]) -> None:
    await values.aclose()


class Client:
    """The API of one server for one user. Use it as a context manager; threads may share it.

    The arguments and methods are those of `AsyncClient`; the methods block. `token` functions run in another thread and
    must not use the client. An interruption of a method by Ctrl-C cancels what it waits for.
    """

    def __init__(
        self,
        url: str,
        *,
        token: Token = None,
        transports: Sequence[Transport] = TRANSPORTS,
        retry_timeout_s: float = RETRY_TIMEOUT_S,
    ) -> None:
        self._client = AsyncClient(url, token=token, transports=transports, retry_timeout_s=retry_timeout_s)
        self._thread = _LoopThread(self._client)
        weakref.finalize(self, self._thread.stop)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections, and end the client's thread. The client can't be used after that."""
        self._thread.stop()

    @overload
    def start(
        self,
        render: StartRenderInput,
        *,
        output: OutputInput | None = None,
        generation_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> Render: ...

    @overload
    def start(
        self,
        render: str,
        props: Mapping[str, object] = ...,
        *,
        output: OutputInput | None = None,
        generation_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> Render: ...

    @overload
    def start(
        self,
        *,
        text: str,
        animation: AnimationOptions | None = None,
        output: OutputInput | None = None,
        generation_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> Render: ...

    @wraps(AsyncClient.start)
    def start(self, *args: Any, **options: Any) -> Render:  # noqa: D102  # it is that of `AsyncClient.start`
        return self._thread.run(self._client.start(*args, **options))

    get = _blocking(AsyncClient.get)
    watch = _iterating(AsyncClient.watch)
    cancel = _blocking(AsyncClient.cancel)
    retry = _blocking(AsyncClient.retry)
    delete = _blocking(AsyncClient.delete)
    list = _iterating(AsyncClient.list)
    quota = _blocking(AsyncClient.quota)
    refresh_download_url = _blocking(AsyncClient.refresh_download_url)
    download = _blocking(AsyncClient.download)
    batch = _blocking(AsyncClient.batch)
    get_batch = _blocking(AsyncClient.get_batch)
    watch_batch = _iterating(AsyncClient.watch_batch)
    cancel_batch = _blocking(AsyncClient.cancel_batch)
    check = _blocking(AsyncClient.check)
    compositions = _blocking(AsyncClient.compositions)
    composition = _blocking(AsyncClient.composition)
    composition_ids = _blocking(AsyncClient.composition_ids)
    execute = _blocking(AsyncClient.execute)
