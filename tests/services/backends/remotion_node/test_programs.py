"""Running a program to its end."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from services.backends.remotion_node.programs import ProgramError, run_program
from tests.support.waiting import wait_until


async def test_the_output_is_returned(tmp_path: Path) -> None:
    assert await run_program(["sh", "-c", "pwd; echo noise >&2"], timeout_s=20, cwd=tmp_path) == f"{tmp_path}\n"


@pytest.mark.parametrize(
    ("command", "reason", "output"),
    [
        ("printf 'one\n\x1b[31mtwo.\x1b[0m\n' >&2; exit 1", "two", "one\ntwo."),
        ("exit 3", "it ended with code 3", ""),
        ("kill -9 $$", "it ended with code -9", ""),
    ],
)
async def test_a_failure_has_the_last_line_of_the_errors(command: str, reason: str, output: str) -> None:
    with pytest.raises(ProgramError) as error:
        await run_program(["sh", "-c", command], timeout_s=20)
    assert (str(error.value), error.value.output) == (reason, output)


async def test_a_missing_program_is_an_error() -> None:
    with pytest.raises(ProgramError, match="it can't be started"):
        await run_program(["/nowhere"], timeout_s=20)


async def test_a_program_is_killed_with_its_children_after_the_time_limit(tmp_path: Path) -> None:
    marker = f"{tmp_path}/marker"  # no file with an id: the time limit may end the program before it writes one
    with pytest.raises(ProgramError, match=r"it did not end within 0\.5 s"):
        await run_program(["sh", "-c", f"(sleep 1000; : {marker}) & wait"], timeout_s=0.5)
    await wait_until(lambda: not _running(marker))


async def test_a_program_is_killed_if_the_caller_is_cancelled(tmp_path: Path) -> None:
    ready = tmp_path / "id"
    command = f"sleep 1000 & echo $! > {tmp_path}/new; mv {tmp_path}/new {ready}; wait"
    running = asyncio.create_task(run_program(["sh", "-c", command], timeout_s=20))
    await wait_until(ready.exists)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await _wait_until_dead(int(ready.read_text()))


async def test_a_program_is_killed_if_the_caller_is_cancelled_while_it_starts(tmp_path: Path) -> None:
    marker = f"{tmp_path}/marker"
    for steps in range(1, 7):  # after some of them, it runs already and asyncio has not returned it yet
        running = asyncio.create_task(run_program(["sh", "-c", f"(sleep 1000; : {marker}) & wait"], timeout_s=20))
        for _ in range(steps):
            await asyncio.sleep(0)
        time.sleep(0.05)  # noqa: ASYNC251  # the program runs on, and the loop does not
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    await wait_until(lambda: not _running(marker))


def _running(marker: str) -> list[str]:
    """Return the ids of the processes with this text in their command, except for ended ones."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if marker.encode() in (process / "cmdline").read_bytes():
                found.append(process.name)
        except OSError:  # it has ended
            continue
    return [name for name in found if _runs(int(name))]


async def _wait_until_dead(process_id: int) -> None:
    """Wait until a process has ended; in a container, its end may not be collected."""
    await wait_until(lambda: not _runs(process_id))


def _runs(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (ProcessLookupError, FileNotFoundError):
        return False


async def test_a_program_gets_none_of_the_secrets_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "MONGODB_URL", "OTEL_EXPORTER_OTLP_HEADERS", "RENDERCAST_OUTPUT_BUCKET"):
        monkeypatch.setenv(name, "hidden-value")
    monkeypatch.setenv("SOMETHING_ELSE", "passed")
    environment = await run_program(["env"], timeout_s=20)
    assert "SOMETHING_ELSE=passed" in environment
    assert "hidden-value" not in environment
