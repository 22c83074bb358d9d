"""Runs of batches that the rate limit or the quota rejects, and rows that the server can't receive."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from rendercast.client import AsyncClient, BatchProgress, Render, RenderQuotaExceeded

from commands.client.batch_api import BatchApi, within_rate
from commands.client.batch_run import BatchPlan, BatchRun, RowsFailedError
from commands.client.batch_views import SilentBatchView
from commands.client.errors import CommandError
from commands.client.props import Json
from commands.client.row_inputs import InvalidRowsError, RowInput
from commands.client.rows import Row
from tests.support.client_renders import render_of

QUOTA = {"limit": 5, "remaining": 0, "windowSeconds": 3600, "resetsAt": "2026-01-01T12:00:00Z", "resetsInSeconds": 3600}


class Rejecting:
    """Rejects a number of calls, with an error of the code."""

    def __init__(self, rejections: int, code: str = "LIMIT_EXCEEDED") -> None:
        self.left = rejections
        self._code = code

    async def __call__(self) -> str:
        if self.left:
            self.left -= 1
            raise CommandError("Rejected.", code=self._code)
        return "accepted"


async def test_a_mutation_is_repeated_while_the_rate_limit_rejects_it() -> None:
    assert await within_rate(Rejecting(3), pause_s=0) == "accepted"
    for call, timeout_s in ((Rejecting(2), 0.0), (Rejecting(2, "INVALID_INPUT"), 60.0)):
        with pytest.raises(CommandError, match="Rejected"):
            await within_rate(call, pause_s=0, timeout_s=timeout_s)
        assert call.left == 1


class TooLarge(BatchApi):
    """A server that receives no row as large as these."""

    async def check(self, inputs: Sequence[Json]) -> Sequence[tuple[str, str]]:
        raise CommandError(f"Too large: {len(inputs)}.", code="BAD_USER_INPUT")


def plan_of(folder: Path, rows: int, content: str = "a") -> BatchPlan:
    inputs = [
        RowInput(row=Row(number=each, line=each + 1, values={}, is_text=True), content={"text": content})
        for each in range(1, rows + 1)
    ]
    names = [str(each) for each in range(rows)]
    return BatchPlan(batch_id="b", inputs=inputs, keys=names, stems=names, folder=folder, maps=(), retries=False)


async def test_a_row_that_is_too_large_for_a_request_is_named(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, 2, "a" * 300_000)
    with pytest.raises(InvalidRowsError) as error:
        await BatchRun(TooLarge(AsyncClient.__new__(AsyncClient)), plan, SilentBatchView()).run()
    assert str(error.value).splitlines()[1:] == ["row 1 (line 2): Too large: 1.", "row 2 (line 3): Too large: 1."]


class QuotaUsedUp(BatchApi):
    """A server that has started some rows, and starts no more."""

    def __init__(self, known: int) -> None:
        super().__init__(AsyncClient.__new__(AsyncClient))
        self.known = known

    async def check(self, inputs: Sequence[Json]) -> Sequence[tuple[str, str]]:  # noqa: ARG002
        return ()

    async def start(self, batch_id: str, inputs: Sequence[Json]) -> tuple[Sequence[Render], int]:  # noqa: ARG002
        keys = [int(each["idempotencyKey"]) for each in inputs]
        if max(keys) >= self.known:
            raise RenderQuotaExceeded({"message": "None is left.", "quota": QUOTA, "retryAfterSeconds": 3600})
        return [replace(render_of("STILL"), id=str(key), status="RENDERING") for key in keys], len(keys)

    async def watch(self, batch_id: str) -> AsyncGenerator[BatchProgress, None]:  # noqa: ARG002
        return
        yield

    async def oldest_unfinished(self, batch_id: str) -> Sequence[str]:  # noqa: ARG002
        return [str(key) for key in range(self.known)]


class Lines(SilentBatchView):
    """Keeps the first line."""

    def __init__(self) -> None:
        self.first: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def write_line(self, text: str) -> None:
        self.first.set_result(text)


async def test_rows_that_were_started_before_are_followed_though_the_quota_is_used_up(tmp_path: Path) -> None:
    view = Lines()
    batch_run = BatchRun(QuotaUsedUp(5), plan_of(tmp_path, 12), view)
    before = batch_run.may_have_started
    running = asyncio.create_task(batch_run.run())
    assert (await view.first).startswith("Your quota is used up: 7 rows left, which can be started in 60 min.")
    assert (before, batch_run.may_have_started) == (False, True)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


def test_rows_whose_output_was_not_written_need_no_new_render(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, 2)
    not_written, failed = (CommandError("No.", code=code) for code in ("NOT_WRITTEN", "FAILED"))
    assert "again to save them." in str(RowsFailedError(plan, {0: not_written}))
    assert "again with --retry" in str(RowsFailedError(plan, {0: not_written, 1: failed}))
