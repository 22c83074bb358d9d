"""Runs a batch: checks all rows, starts them, and saves their outputs as they end.

It can be stopped at any time, also by SIGKILL, and run again: a row's idempotency key depends only on its content, so
no row is started twice, and a file is recognised by its size and time, so none is downloaded twice.
"""

import asyncio
import json
from collections.abc import Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from pathlib import Path

from rendercast.client import (
    BatchNotFound,
    BatchProgress,
    Render,
    RendercastError,
    RenderQuotaExceeded,
    ServerUnreachable,
)

from commands.client.batch_api import BatchApi
from commands.client.batch_views import BatchState, BatchView, plural
from commands.client.download import save
from commands.client.errors import CommandError
from commands.client.props import Json
from commands.client.row_inputs import MAX_SHOWN, ColumnMap, InvalidRowsError, RowInput, RowProblem

MAX_ROWS = 100  # of one call
MAX_CALL_BYTES = 400_000  # of the rows of one call; the server's default limit on a request is 524,288
MAX_DOWNLOADS = 4  # at once, as many as a server executes operations of one user by default
TIME_TOLERANCE_S = 0.002  # file systems store times in other units
MINUTE_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPlan:
    """The rows of a batch with their keys and the names of their files, without extension.

    If `retries`, rows whose render failed or was cancelled are started again. `maps` names the columns of problems.
    If there are `problems` of further rows, nothing is started.
    """

    batch_id: str
    inputs: Sequence[RowInput]
    keys: Sequence[str]
    stems: Sequence[str]
    folder: Path
    maps: Sequence[ColumnMap]
    retries: bool
    problems: Sequence[RowProblem] = ()

    def content(self, index: int) -> Json:
        """Return the input of a row with its key."""
        return self.inputs[index].content | {"idempotencyKey": self.keys[index]}

    def call_from(self, start: int, *, most: int) -> range:
        """Return the rows of the next call: at least one, at most `most`, within `MAX_CALL_BYTES`."""
        size, end = 0, start
        while end < min(start + most, len(self.inputs)):
            size += len(json.dumps(self.inputs[end].content).encode())
            if size > MAX_CALL_BYTES and end > start:
                break
            end += 1
        return range(start, end)


class RowsFailedError(CommandError):
    """Some rows have no output."""

    def __init__(self, plan: BatchPlan, failed: dict[int, RendercastError]) -> None:
        lines = [f"{plan.inputs[index].row.name}: {error}" for index, error in sorted(failed.items())[:MAX_SHOWN]]
        if len(failed) > MAX_SHOWN:
            lines.append(f"There are {len(failed) - MAX_SHOWN} more; --json lists all.")
        if all(error.code == "NOT_WRITTEN" for error in failed.values()):
            retry = " Run the command again to save them."
        else:
            retry = "" if plan.retries else " Run the command again with --retry to start them again."
        super().__init__(
            "\n".join([f"{plural(len(failed), 'row')} of {len(plan.inputs)} failed.{retry}", *lines]),
            code="ROWS_FAILED",
            batchId=plan.batch_id,
            rows=[plan.inputs[index].row.number for index in sorted(failed)],
        )


class BatchRun:
    """One run of a plan. `run` raises `InvalidRowsError`, `RowsFailedError` and any other `RendercastError`."""

    def __init__(self, api: BatchApi, plan: BatchPlan, view: BatchView) -> None:
        self._api = api
        self._plan = plan
        self._view = view
        self.may_have_started = False  # any render, in this run
        self._pending: dict[str, int] = {}  # the rows whose renders have not ended, by id of the render
        self._failed: dict[int, RendercastError] = {}
        self._saved = 0
        self._started = 0
        self._duplicates = 0
        self._progress: BatchProgress | None = None
        self._changed = asyncio.Event()
        self._downloads = asyncio.Semaphore(MAX_DOWNLOADS)
        self._tasks: asyncio.TaskGroup

    async def run(self) -> None:
        """Check, start and save all rows."""
        await self._check()
        self.may_have_started = True
        try:
            async with asyncio.TaskGroup() as self._tasks:
                self._tasks.create_task(self._start_all())
                self._tasks.create_task(self._follow())
        except BaseExceptionGroup as group:
            first: BaseException = group
            while isinstance(first, BaseExceptionGroup):
                first = first.exceptions[0]
            raise first from None
        if self._failed:
            raise RowsFailedError(self._plan, self._failed)
        self._view.write_line(f"Saved {plural(self._saved, 'file')} in {self._plan.folder}.")

    async def _check(self) -> None:
        problems = list(self._plan.problems)
        position = 0
        while position < len(self._plan.inputs):
            rows = self._plan.call_from(position, most=MAX_ROWS)
            problems += await self._problems(rows)
            position = rows.stop
        if problems:
            raise InvalidRowsError(problems)

    async def _problems(self, rows: range) -> Sequence[RowProblem]:
        try:
            found = await self._api.check([self._plan.content(index) for index in rows])
        except RendercastError as error:
            if error.code != "BAD_USER_INPUT" or len(rows) > 1:
                raise
            return [RowProblem(row=self._plan.inputs[rows[0]].row, message=str(error))]  # it is too large
        return [problem for path, message in found for problem in self._problem(rows, path, message)]

    def _problem(self, rows: range, path: str, message: str) -> Sequence[RowProblem]:
        """Return a problem of a row, with the name of its column; none for the remark that there are more.

        Raises `CommandError` for a problem of all rows.
        """
        _, _, index, *rest = [*path.split("/", 3), ""]
        if not index.isdecimal():
            return ()
        if not rest[0].startswith("composition/props"):  # an option, which is the same for all rows
            raise CommandError(f"Nothing was started. {rest[0]}: {message}", code="INVALID_INPUT")
        place = rest[0].removeprefix("composition/props")
        column = next((each.column for each in self._plan.maps if f"/{each.pointer}" == place), None)
        where = f"column “{column}”: " if column else f"{place}: " if place else ""
        return [RowProblem(row=self._plan.inputs[rows[int(index)]].row, message=where + message)]

    async def _start_all(self) -> None:
        most = MAX_ROWS
        while self._started < len(self._plan.inputs):
            rows = self._plan.call_from(self._started, most=most)
            try:
                renders, duplicates = await self._api.start(
                    self._plan.batch_id, [self._plan.content(index) for index in rows]
                )
            except RenderQuotaExceeded as error:
                most = await self._wait_for_quota(error, rows=len(rows))
                continue
            most = MAX_ROWS
            self._duplicates += duplicates
            for index, render in zip(rows, renders, strict=True):
                await self._register(index, render)
            self._started = rows.stop
            self._show()
        if self._duplicates:
            self._view.write_line(f"{plural(self._duplicates, 'row')} of them had been started before.")

    async def _wait_for_quota(self, error: RenderQuotaExceeded, *, rows: int = 1) -> int:
        """Return how many rows to try next, after waiting for more units if none is left and one row was tried.

        Of several rows, the first may have been started before, which needs no unit.
        """
        if error.quota.remaining > 0:
            return min(error.quota.remaining, MAX_ROWS)
        if rows > 1:
            return rows // 2
        left = len(self._plan.inputs) - self._started
        minutes = max(1, round(error.retry_after_seconds / MINUTE_S))
        self._view.write_line(
            f"Your quota is used up: {plural(left, 'row')} left, which can be started in {minutes} min. "
            "You can stop with Ctrl-C, and run the command again later."
        )
        await asyncio.sleep(error.retry_after_seconds + 1)
        return MAX_ROWS

    async def _register(self, index: int, render: Render) -> None:
        """Follow the render of a row, or the one that replaces it; save it if it has ended."""
        while self._plan.retries and render.status in {"FAILED", "CANCELLED"}:
            try:
                render = await self._api.retry(render)
            except RenderQuotaExceeded as error:
                await self._wait_for_quota(error)
        self._pending[render.id] = index
        if render.has_ended:
            self._finish(render.id, render)
        self._changed.set()

    async def _follow(self) -> None:
        """Save the outputs of the rows as their renders end, until all have."""
        while self._ended < len(self._plan.inputs):
            await self._changed.wait()
            self._changed.clear()
            if self._pending:
                await self._watch()

    async def _watch(self) -> None:
        """Follow the batch until all renders that are started have ended."""
        with suppress(BatchNotFound):  # the last render was deleted
            async with aclosing(self._api.watch(self._plan.batch_id)) as states:
                async for self._progress in states:
                    self._show()
                    await self._collect()
        await self._collect()

    async def _collect(self) -> None:
        """Find the renders that have ended: those that are older than the unfinished ones, but not among them."""
        unfinished = await self._api.oldest_unfinished(self._plan.batch_id)
        newest = unfinished[-1] if len(unfinished) == MAX_ROWS else None
        for render_id in self._pending.keys() - set(unfinished):
            if newest is None or render_id < newest:
                self._finish(render_id)

    def _finish(self, render_id: str, known: Render | None = None) -> None:
        self._tasks.create_task(self._end_row(self._pending.pop(render_id), render_id, known))

    async def _end_row(self, index: int, render_id: str, known: Render | None) -> None:
        async with self._downloads:
            try:
                render = known or await self._api.get(render_id)
                if not render.has_ended:  # it was started after the unfinished ones were listed
                    self._pending[render_id] = index
                    self._changed.set()
                    return
                path = await self._save(index, render)
            except ServerUnreachable:
                raise
            except RendercastError as error:
                self._failed[index] = error
                self._view.end_row(self._row(index, render_id) | {"error": {"code": error.code, "message": str(error)}})
            else:
                self._saved += 1
                self._view.end_row(self._row(index, render_id) | {"file": str(path)})
        self._changed.set()
        self._show()

    async def _save(self, index: int, render: Render) -> Path:
        """Save the output, unless the file is that of this render. Raises `CommandError` if there is no output."""
        if render.status != "COMPLETE" or render.completed_at is None:
            message = render.error.message if render.error else f"The render is {render.status.lower()}."
            raise CommandError(message, code=render.error.code if render.error else render.status)
        path = self._plan.folder / f"{self._plan.stems[index]}{Path(render.output.file_name).suffix}"
        ended_at = render.completed_at.timestamp()
        if not _is_saved(path, render, ended_at):
            await save(self._api.api, render, path)
        return path

    def _row(self, index: int, render_id: str) -> dict[str, object]:
        row = self._plan.inputs[index].row
        return {"row": row.number, "line": row.line, "renderId": render_id}

    @property
    def _ended(self) -> int:
        return self._saved + len(self._failed)

    def _show(self) -> None:
        rows = len(self._plan.inputs)
        progress = self._progress
        running = 0.0 if progress is None else max(0.0, progress.total * progress.percent / 100 - progress.ended)
        self._view.show(
            BatchState(
                rows=rows,
                started=self._started,
                rendering=0 if progress is None else progress.rendering,
                saved=self._saved,
                failed=len(self._failed),
                percent=min(100.0, 100 * (self._ended + running) / rows),
            )
        )


def _is_saved(path: Path, render: Render, ended_at: float) -> bool:
    """Return whether a file is the output of this render: it has its size, and the time of its end."""
    try:
        found = path.stat()
    except OSError:
        return False
    return found.st_size == render.output_size_bytes and abs(found.st_mtime - ended_at) < TIME_TOLERANCE_S
