"""`rendercast batch`, killed and run again, with a server that is killed too: nothing is lost or done twice."""

import csv
import os
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.end_to_end.processes import Process, Running, dev_servers, spawn, wait
from tests.support.api_client import TEST_TIMEOUT_S, open_client, pauses

ROWS = int(os.environ.get("BATCH_ROWS", "40"))
SETTINGS: dict[str, object] = {
    "text_width": 64,
    "text_height": 64,
    "quota_limit": 100_000,
    "max_mutations_per_minute": 10_000,
}
TIMEOUT_S = TEST_TIMEOUT_S + ROWS  # for a fifth of the rows, on a busy machine
FIRST_LINE = "Batch b:"
BATCH = """
query ($after: String) {
  renders(first: 100, after: $after, filter: { batchId: "b" }) {
    edges { node { id status inputProps } }
    pageInfo { hasNextPage endCursor }
  }
}
"""


def text_of(row: int) -> str:
    return f"Row {row}"


def write_rows(file: Path) -> None:
    with file.open("w", newline="") as stream:
        csv.writer(stream).writerows([["Title", "Other"], *([text_of(row), 'a "b", c'] for row in range(1, ROWS + 1))])


def run_batch(folder: Path, server: Running) -> Process:
    """Start the command, and wait until it has read the file and reached the server."""
    options = ["--map", "text=Title", "--output", "png", "--frame", "-1", "-o", "out", "--batch-id", "b"]
    log = folder / "stderr"
    runs = log.read_text().count(FIRST_LINE)
    command = spawn(folder, "batch", "rows.csv", *options, "--name", "{Title}", url=server.url)
    pause = pauses()
    while log.read_text().count(FIRST_LINE) == runs:
        assert command.poll() is None or log.read_text().count(FIRST_LINE) > runs, log.read_text()[-2000:]
        time.sleep(next(pause))
    return command


def wait_for_files(folder: Path, *, fifths: int) -> None:
    """Wait until this many fifths of the outputs are saved."""
    until, pause = time.monotonic() + TIMEOUT_S, pauses()
    while len(list((folder / "out").glob("*.png"))) < fifths * ROWS // 5:
        assert time.monotonic() < until, (folder / "stderr").read_text()[-2000:]
        time.sleep(next(pause))


async def renders_of(server: Running) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after = None
    async with open_client(server.url) as client:
        while True:
            page = await client.execute(BATCH, after=after)
            found += [edge["node"] for edge in page["edges"]]
            after = page["pageInfo"]["endCursor"]
            if not page["pageInfo"]["hasNextPage"]:
                assert await client.quota_used() == len(found)
                return found


async def test_each_row_is_rendered_and_saved_once_whatever_is_killed(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.csv")
    with dev_servers(tmp_path, **SETTINGS) as start:
        server = start()
        command = run_batch(tmp_path, server)
        for fifths in (1, 3):
            wait_for_files(tmp_path, fifths=fifths)
            command.kill()
            wait(command)
            command = run_batch(tmp_path, server)
            wait_for_files(tmp_path, fifths=fifths + 1)
            assert server.end(signal.SIGKILL) == -signal.SIGKILL
            server = start(after=server)
        assert command.wait(5 * TIMEOUT_S) == 0, server.log
        wait(command)
        renders = await renders_of(server)
        assert server.end() == 0
    assert Counter(render["status"] for render in renders) == {"COMPLETE": ROWS}
    ids = {render["inputProps"]["text"]: render["id"] for render in renders}
    assert ids.keys() == {text_of(row) for row in range(1, ROWS + 1)}
    saved = {path.stem: path.read_bytes() for path in (tmp_path / "out").glob("[!.]*")}  # hidden: killed downloads
    outputs = tmp_path / ".rendercast" / "outputs"
    assert saved == {text: (outputs / f"{render_id}.png").read_bytes() for text, render_id in ids.items()}
