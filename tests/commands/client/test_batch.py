"""`rendercast batch` as a process, with a real server."""

import asyncio
from pathlib import Path

import pytest

from tests.commands.conftest import Run, Spawn, objects
from tests.end_to_end.processes import Rendercast
from tests.end_to_end.slow import SlowRenderers
from tests.support.api_client import TEST_TIMEOUT_S, open_client, pauses
from tests.support.forked import ForkedProcess

pytestmark = pytest.mark.slow

STILLS = ("--map", "text=Name", "--output", "png", "--frame", "-1", "--scale", "0.2", "-o", "out")
BATCH = "query ($id: ID!) { batchProgress(batchId: $id) { total queued rendering complete cancelled } }"


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    file = tmp_path / "rows.csv"
    file.write_text("Name,Size\nAnn,40\nBob,50\nÜnal,60\n")
    return file


async def progress(server: Rendercast, batch_id: str) -> dict[str, int]:
    async with open_client(server.url) as client:
        found: dict[str, int] = await client.execute(BATCH, id=batch_id)
        return found


def saved(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "out").iterdir())


def test_each_row_is_saved_under_a_readable_name_and_not_rendered_again(
    run: Run, server: Rendercast, rows: Path, tmp_path: Path
) -> None:
    ended = run("batch", rows.name, *STILLS, "--batch-id", "first", "--json")
    assert ended.returncode == 0, ended.stderr
    assert sorted((each["row"], each["file"]) for each in objects(ended.stdout)) == [
        (1, "out/1-Ann.png"),
        (2, "out/2-Bob.png"),
        (3, "out/3-Ünal.png"),
    ]
    assert saved(tmp_path) == ["1-Ann.png", "2-Bob.png", "3-Ünal.png"]
    (tmp_path / "out" / "2-Bob.png").write_bytes(b"damaged")
    rows.write_text(rows.read_text() + "Zoe,70\n")
    again = run("batch", rows.name, *STILLS, "--batch-id", "first", "--name", "{row}-{Name}")
    assert again.returncode == 0, again.stderr
    assert b"3 rows of them had been started before." in again.stderr
    assert asyncio.run(progress(server, "first"))["total"] == 4
    assert (tmp_path / "out" / "2-Bob.png").read_bytes().startswith(b"\x89PNG")


def test_nothing_is_started_if_a_row_is_not_valid(run: Run, rows: Path, tmp_path: Path) -> None:
    rows.write_text("Name,Size\nAnn,x\nBob,9999\n,50\n")
    ended = run("batch", rows.name, *STILLS, "--map", "fontSize=Size", "--json")
    assert ended.returncode == 1
    assert ended.stderr.decode().splitlines()[1:] == [
        "rendercast: 3 rows are not valid. Nothing was started.",
        "row 1 (line 2): “x” in the column “Size” is not a number, such as 3 or 1.5.",
        "row 2 (line 3): column “Size”: Use 500 or less.",
        "row 3 (line 4): column “Name”: This text must not be empty.",
    ]
    (result,) = objects(ended.stdout)
    assert [each["row"] for each in result["error"]["problems"]] == [1, 2, 3]
    assert saved(tmp_path) == []


def test_an_option_that_is_not_valid_is_reported_once(run: Run, rows: Path) -> None:
    option = run("batch", rows.name, *STILLS[:2], "--output", "mp4", "--crf", "99", "-o", "out")
    assert option.returncode == 1
    assert option.stderr.decode().splitlines()[1:] == [
        "rendercast: Nothing was started. output/video/crf: H.264 accepts a `crf` from 1 to 51; lower is better."
    ]
    unknown = run("batch", rows.name, "--composition", "Nothing", "-o", "out")
    assert b"composition/id: There is no such composition. Choose TextAnimation." in unknown.stderr


def wait_for_lines(process: ForkedProcess, *, containing: bytes) -> None:
    assert process.stderr is not None
    assert any(containing in line for line in process.stderr)


async def test_rows_of_a_cancelled_batch_fail_until_they_are_retried(
    run: Run, spawn: Spawn, server: Rendercast, slow_renderers: SlowRenderers, rows: Path, tmp_path: Path
) -> None:
    length = ("--set", "durationInFrames=300")  # none ends before it is cancelled
    videos = ("batch", rows.name, "--map", "text=Name", *length, "-o", "out", "--batch-id", "c")
    command = spawn(*videos)
    pause = pauses()
    wait_for_lines(command, containing=b"Batch c: 3 rows.")
    while not (await progress(server, "c") or {}).get("rendering"):  # noqa: ASYNC110  # another process
        await asyncio.sleep(next(pause))
    cancelled = run("cancel", "--batch", "c")
    assert cancelled.returncode == 0, cancelled.stderr
    _, log = command.communicate(TEST_TIMEOUT_S)
    assert command.returncode == 1
    assert "3 rows of 3 failed. Run the command again with --retry to start them again." in log.decode()
    assert "row 3 (line 4): The render is cancelled." in log.decode()
    slow_renderers.speed_up()
    retried = run(*videos, "--retry")
    assert retried.returncode == 0, retried.stderr
    assert saved(tmp_path) == ["1-Ann.mp4", "2-Bob.mp4", "3-Ünal.mp4"]
    assert await progress(server, "c") == {"total": 6, "queued": 0, "rendering": 0, "complete": 3, "cancelled": 3}
    assert run(*videos, "--retry").returncode == 0
    assert (await progress(server, "c"))["total"] == 6


def test_without_a_render_or_a_batch_there_is_nothing_to_cancel(run: Run) -> None:
    assert b"Give the ID of a render, or --batch" in run("cancel").stderr
    unknown = run("cancel", "--batch", "unknown")
    assert (unknown.returncode, unknown.stderr) == (1, b"rendercast: You have no renders with this batch id.\n")
