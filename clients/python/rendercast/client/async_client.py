"""The client of Rendercast's API for asyncio."""

import uuid
from collections.abc import AsyncGenerator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, overload

from rendercast.client import documents
from rendercast.client.addresses import Token, read_address
from rendercast.client.connection import Connection
from rendercast.client.downloads import download
from rendercast.client.errors import RequestRejected, UnexpectedResponse
from rendercast.client.inputs import (
    AnimationOptions,
    OutputInput,
    StartRenderInput,
    start_input,
)
from rendercast.client.reading import Json, read
from rendercast.client.responses import root_value
from rendercast.client.results import (
    Batch,
    BatchCancellation,
    BatchProgress,
    CompositionInfo,
    DownloadUrl,
    InputPathProblem,
    Render,
    RenderQuota,
    RenderStatus,
)
from rendercast.client.user_errors import RenderAlreadyFinished, user_error
from rendercast.client.watching import TRANSPORTS, Transport, Watching

State = TypeVar("State")

RETRY_TIMEOUT_S = 30.0
WATCH_TIMEOUT_S = 86_400.0
PAGE_SIZE = 100  # the server's maximum


class AsyncClient:
    """The API of one server for one user. Use it as a context manager, in one event loop.

    Methods raise `RendercastError`. A request whose response was lost is repeated for `retry_timeout_s`, with the same
    idempotency key. `token` is a token, or a function that returns one, also asynchronously: it is called before
    each request, and again when the server rejects the token. `transports` are those of `watch`, in the order in which
    they are tried.
    """

    def __init__(
        self,
        url: str,
        *,
        token: Token = None,
        transports: Sequence[Transport] = TRANSPORTS,
        retry_timeout_s: float = RETRY_TIMEOUT_S,
    ) -> None:
        self._retry_timeout_s = retry_timeout_s
        self._connection = Connection(read_address(url), token, retry_timeout_s=retry_timeout_s)
        self._watching = Watching(self._connection, transports)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections. The client can't be used after that."""
        await self._watching.close()
        await self._connection.close()

    @overload
    async def start(
        self,
        render: StartRenderInput,
        *,
        output: OutputInput | None = None,
        generation_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> Render: ...

    @overload
    async def start(
        self,
        render: str,
        props: Mapping[str, object] = ...,
        *,
        output: OutputInput | None = None,
        generation_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> Render: ...

    @overload
    async def start(
        self,
        *,
        text: str,
        animation: AnimationOptions | None = None,
        output: OutputInput | None = None,
        generation_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> Render: ...

    async def start(
        self,
        render: StartRenderInput | str | None = None,
        props: Mapping[str, object] | None = None,
        *,
        text: str | None = None,
        animation: AnimationOptions | None = None,
        output: OutputInput | None = None,
        generation_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> Render:
        """Start a render and return its first state.

        `render` is a call of a `Composition`, the id of a composition, or any input of the schema, of which the other
        arguments replace parts. Calls with the same `idempotency_key` return the same render; by default each call has
        a new one. Raises `InvalidInput` or `InvalidAnimation`, `RenderQuotaExceeded` and `IdempotencyKeyReused`.
        """
        content = start_input(render, props, text=text, animation=animation)
        options = {"output": output, "generationId": generation_id, "idempotencyKey": idempotency_key}
        chosen = {name: value for name, value in options.items() if value is not None}
        given = {**content, **chosen}
        if given.get("idempotencyKey") is None:
            given["idempotencyKey"] = str(uuid.uuid4())
        result = await self._mutate(documents.START, "StartRenderSuccess", input=given)
        return read(Render, result["render"])

    async def get(self, render_id: str) -> Render:
        """Return a render. Raises `RenderNotFound`."""
        return await self._get(documents.WATCHED_RENDER, render_id)

    def watch(self, render_id: str, *, timeout_s: float = WATCH_TIMEOUT_S) -> AsyncGenerator[Render, None]:
        """Yield the present state of a render, then each newer state, until it has ended.

        Connects again after a lost connection. Raises `RenderNotFound`, `ServerUnreachable`, and `WatchTimedOut` after
        `timeout_s`. States may be skipped, but not the last one.
        """
        return self._watching.watch(documents.WATCHED_RENDER, render_id, timeout_s=timeout_s)

    async def cancel(self, render_id: str) -> Render:
        """Request the cancellation of a render and return its state. Succeeds if it is already cancelled.

        Raises `RenderNotFound`, and `RenderAlreadyFinished` if it has another final status.
        """
        try:
            result = await self._mutate(documents.CANCEL, "CancelRenderSuccess", id=render_id)
        except RenderAlreadyFinished as error:
            if error.render.status != "CANCELLED":
                raise
            return error.render
        return read(Render, result["render"])

    async def retry(self, render_id: str) -> Render:
        """Start a new render with the input of one that failed or was cancelled. Calls return the same new render.

        Raises `RenderNotRetryable`, `RenderNotFound` and `RenderQuotaExceeded`.
        """
        result = await self._mutate(documents.RETRY, "StartRenderSuccess", id=render_id)
        return read(Render, result["render"])

    async def delete(self, render_id: str) -> None:
        """Delete a render that has ended, and its output. Raises `RenderNotFound` and `RenderNotFinished`."""
        await self._mutate(documents.DELETE, "DeleteRenderSuccess", id=render_id)

    async def list(
        self,
        *,
        first: int | None = 20,
        status: Sequence[RenderStatus] = (),
        generation_id: str | None = None,
        batch_id: str | None = None,
    ) -> AsyncGenerator[Render, None]:
        """Yield your renders that match all of the conditions, newest first: at most `first`, or all if it is None."""
        chosen = {"status": list(status) or None, "generationId": generation_id, "batchId": batch_id}
        remaining, after = first, None
        while remaining is None or remaining > 0:
            count = PAGE_SIZE if remaining is None else min(PAGE_SIZE, remaining)
            page = await self._value(documents.LIST, first=count, after=after, filter=chosen)
            for edge in page["edges"]:
                yield read(Render, edge["node"])
            if not page["pageInfo"]["hasNextPage"]:
                return
            after = page["pageInfo"]["endCursor"]
            remaining = remaining and remaining - count

    async def quota(self) -> RenderQuota:
        """Return your quota of renders."""
        return read(RenderQuota, await self._value(documents.QUOTA))

    async def refresh_download_url(self, render_id: str) -> DownloadUrl:
        """Return a new signed URL of an output. Raises `RenderNotFound`, `RenderNotComplete` and `OutputGone`."""
        return read(DownloadUrl, await self._mutate(documents.REFRESH, "DownloadUrl", id=render_id))

    async def download(self, render: Render | str, path: "str | PathLike[str]") -> Path:
        """Save the output of a render and return the file's path.

        In a folder, the file is named by the render's id. A file appears, or is replaced, when the download is
        complete. Its modification time is the end of the render. Raises `OSError` if it can't be written, and the
        errors of `refresh_download_url`.
        """
        known = render if isinstance(render, Render) else await self.get(render)

        async def refresh_url() -> str:
            return (await self.refresh_download_url(known.id)).url

        return await download(known, Path(path), refresh_url=refresh_url, retry_timeout_s=self._retry_timeout_s)

    async def batch(
        self, renders: Sequence[StartRenderInput], *, batch_id: str | None = None, idempotency_key: str | None = None
    ) -> Batch:
        """Start up to 100 renders, or none of them. A call of a `Composition` is one of them.

        A later call with the same `batch_id` adds to the batch; by default it is a new one. Raises `InvalidInput`,
        `RenderQuotaExceeded` and `IdempotencyKeyReused`.
        """
        batch_id, key = batch_id or str(uuid.uuid4()), idempotency_key or str(uuid.uuid4())
        given = {"batchId": batch_id, "renders": renders, "idempotencyKey": key}
        result = await self._mutate(documents.START_BATCH, "StartRendersSuccess", input=given)
        return read(Batch, {"batchId": batch_id, **result})

    async def get_batch(self, batch_id: str) -> BatchProgress:
        """Return the progress of a batch. Raises `BatchNotFound`."""
        return await self._get(documents.WATCHED_BATCH, batch_id)

    def watch_batch(self, batch_id: str, *, timeout_s: float = WATCH_TIMEOUT_S) -> AsyncGenerator[BatchProgress, None]:
        """Yield the present progress of a batch, then each newer one, until all of its renders have ended.

        Connects again after a lost connection. Raises `BatchNotFound`, `ServerUnreachable` and `WatchTimedOut`.
        """
        return self._watching.watch(documents.WATCHED_BATCH, batch_id, timeout_s=timeout_s)

    async def cancel_batch(self, batch_id: str) -> BatchCancellation:
        """Cancel all renders of a batch that have not ended. Raises `BatchNotFound`."""
        return read(BatchCancellation, await self._mutate(documents.CANCEL_BATCH, "CancelBatchSuccess", id=batch_id))

    async def check(self, renders: Sequence[StartRenderInput]) -> Sequence[InputPathProblem]:
        """Return the problems for which `batch` would reject these renders. Starts nothing."""
        found = await self._value(documents.CHECK, renders=renders)
        return tuple(read(InputPathProblem, each) for each in found)

    async def compositions(self) -> Sequence[CompositionInfo]:
        """Return what the server can render, in its order. If all are too large for one response, read one by one."""
        try:
            found = await self._value(documents.COMPOSITIONS)
        except RequestRejected as error:
            if error.code != "LIMIT_EXCEEDED":
                raise
            one_by_one = [await self.composition(each) for each in await self.composition_ids()]
            return tuple(each for each in one_by_one if each is not None)
        return tuple(read(CompositionInfo, each) for each in found)

    async def composition(self, composition_id: str) -> CompositionInfo | None:
        """Return a composition; None if the server has none with this id."""
        found = await self._value(documents.GET_COMPOSITION, id=composition_id)
        return None if found is None else read(CompositionInfo, found)

    async def composition_ids(self) -> Sequence[str]:
        """Return the ids of all compositions."""
        return tuple(str(each["id"]) for each in await self._value(documents.COMPOSITION_IDS))

    async def execute(self, document: str, variables: Mapping[str, object] | None = None) -> Json:
        """Return the data of any query or mutation of the API. It may be executed twice if its response is lost."""
        return await self._connection.execute(document, variables or {})

    async def _get(self, watched: documents.Watched[State], watched_id: str) -> State:
        found = await self._value(watched.query, id=watched_id)
        if found is None:
            raise watched.missing_error()
        return read(watched.kind, found)

    async def _value(self, document: str, **variables: object) -> Any:
        return root_value(await self.execute(document, variables))

    async def _mutate(self, document: str, success: str, **variables: object) -> Json:
        result: Json = await self._value(document, **variables)
        try:
            if result["__typename"] == success:
                return result
        except (KeyError, TypeError) as error:
            raise UnexpectedResponse(error) from error
        raise user_error(result)
