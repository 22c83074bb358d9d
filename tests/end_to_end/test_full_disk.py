"""A full disk, simulated by a limit on the size of the files of the process."""

import resource
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from services.storage.url_signing import KEY_BYTES, KEY_FILE
from tests.end_to_end.conftest import Start
from tests.end_to_end.processes import COMMAND
from tests.end_to_end.slow import SlowRenderers
from tests.support.api_client import GET, PROPS, START, TEST_TIMEOUT_S, open_client
from tests.support.node_processes import descendants


def limit_files(process_id: int, size_bytes: int) -> None:
    with suppress(ProcessLookupError):  # it has just ended
        resource.prlimit(process_id, resource.RLIMIT_FSIZE, (size_bytes, size_bytes))


async def test_a_full_disk_prevents_starts_and_loses_no_data(start: Start) -> None:
    rendercast = start(text_width=64, text_height=64)
    pid = rendercast.process.pid
    async with open_client(rendercast.url) as client:
        before = await client.start_render(durationInFrames=1)
        await client.until(before, status="COMPLETE")
        full = (rendercast.data / "rendercast.sqlite3-wal").stat().st_size
        unlimited = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (full, unlimited[1]))
        for _ in range(3):
            error = await client.error(START, input={"animationProps": PROPS})
            assert error["extensions"] == {"code": "SERVICE_UNAVAILABLE"}
            assert "sqlite" not in error["message"].lower()
        assert (await client.execute(GET, id=before))["status"] == "COMPLETE"
        assert [render["id"] for render in await client.list_renders()] == [before]
        assert await client.quota_used() == 1
        resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited)
        after = await client.start_render(durationInFrames=1)
        await client.until(after, status="COMPLETE")
        assert await client.quota_used() == 2
    rendercast.end()
    async with open_client(start().url) as client:
        assert [render["id"] for render in await client.list_renders()] == [after, before]


async def test_a_full_disk_during_a_render_fails_it_with_a_message_and_leaves_no_file(
    start: Start, renderers: SlowRenderers
) -> None:
    renderers.slow_down()
    rendercast = start(max_attempts=1, text_width=320, text_height=180)
    async with open_client(rendercast.url) as client:
        render_id = await client.start_render(durationInFrames=600)
        await client.until(render_id, phase="RENDERING_FRAMES")
        renderer = min(rendercast.children())  # a later one is a spare
        resource.prlimit(renderer, resource.RLIMIT_FSIZE, (1, 1))
        renderers.speed_up()
        render = await client.until(render_id, status="FAILED")
        assert "could not be stored" in render["error"]["message"]
        assert render["error"]["retryable"] is True
        assert rendercast.outputs == []
        assert len(rendercast.children()) <= 1, "at most a spare process"
        await client.until(await client.start_render(durationInFrames=1), status="COMPLETE")
    assert rendercast.end() == 0
    (rendercast.folder / "stderr").write_text("")  # it contains the traceback of the renderer, for the operator


async def test_a_disk_with_space_for_the_video_only_gives_a_render_without_a_poster(start: Start) -> None:
    """The letters fill a large frame, so that its poster is larger than the video and than what SQLite writes."""
    letters: dict[str, object] = {"text": "Hello " * 80, "fontSize": 500, "color": "#e11d48", "durationInFrames": 1}
    rendercast = start(text_width=3840, text_height=2160)
    async with open_client(rendercast.url) as client:
        whole = await client.until(await client.start_render(**letters), status="COMPLETE")
        poster_bytes = len((await client.http.get(whole["posterUrl"])).content)
        limit = (whole["outputSizeBytes"] + poster_bytes) // 2
        assert whole["outputSizeBytes"] < limit
        limit_files(rendercast.process.pid, limit)  # first: a renderer that is started later inherits it
        for process_id in descendants(rendercast.process.pid):
            limit_files(process_id, limit)
        render = await client.until(await client.start_render(**letters), status="COMPLETE")
        assert (render["outputSizeBytes"], render["posterUrl"]) == (whole["outputSizeBytes"], None)
        assert (await client.http.get(render["outputUrl"])).status_code == 200
    assert rendercast.outputs == sorted([f"{whole['id']}.jpg", f"{whole['id']}.mp4", f"{render['id']}.mp4"])
    assert rendercast.end() == 0
    (rendercast.folder / "stderr").write_text("")  # it contains the traceback of the renderer, for the operator


@pytest.mark.parametrize("stored", ["no file", KEY_FILE])
def test_a_disk_that_is_full_at_the_start_is_a_one_line_startup_error(tmp_path: Path, stored: str) -> None:
    if stored == KEY_FILE:
        (tmp_path / ".rendercast").mkdir()
        (tmp_path / ".rendercast" / KEY_FILE).write_bytes(bytes(KEY_BYTES))
    ended = subprocess.run(
        ["sh", "-c", 'ulimit -f 0 && exec "$@"', "sh", COMMAND, "dev", "--port", "0"],  # noqa: S607
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=TEST_TIMEOUT_S,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    first_written = "data file .rendercast/rendercast.sqlite3" if stored == KEY_FILE else f"file .rendercast/{KEY_FILE}"
    assert ended.stderr.startswith(f"rendercast: The {first_written} can't be used: ")
    assert "[Errno" not in ended.stderr
    assert ended.stderr.count("\n") == 1
