"""CPU time of live previews: `python -m benchmarks.previews [turns]`.

The same renders with and without previews, in alternating turns. The CPU time is that of this process and all its
descendants: Node, the browser and FFmpeg for `node`. Those renders need Node, Chromium and the packages of the tests.
"""

import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.text_renderer import CAPTIONS
from services.backends.previews import schedule
from services.backends.remotion_node.backend import NodeBackend, open_node_backend
from services.backends.remotion_node.processes import cpu_time_s
from services.backends.text.child_messages import PreviewMessage, parse_message
from services.backends.text.job import parse_job
from services.backends.text.render_job import render as render_text
from services.clock import SystemClock
from services.ids import new_render_id
from services.media import OutputFormat, OutputOptions
from services.models import TEXT_ANIMATION, Render
from services.ports import AttemptFinished, AttemptProgress
from services.renders import lifecycle
from services.storage.folder_storage import open_folder_storage
from tests.support.node_renderer import bundle_project, make_deployment, make_project

TURNS = 5
FRAMES = 600
WIDTH, HEIGHT, FPS = 1920, 1080, 30
TEXT_FORMATS = (OutputFormat.H264, OutputFormat.GIF)
IMAGE_FORMATS = ("jpeg", "png")  # of the frames of `node`

Measured = tuple[float, int]  # seconds of CPU time, and the number of previews


def main(turns: int = TURNS) -> None:
    print(f"Medians of {turns} turns, {FRAMES} frames of {WIDTH} x {HEIGHT}.\n")
    print("| render | CPU without | CPU with | added | previews |\n|---|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        for name in TEXT_FORMATS:
            print(row(f"text, {name.name}", turns, lambda name=name: measure_text(name, Path(folder))), flush=True)
        asyncio.run(measure_node(turns, Path(folder)))


def row(label: str, turns: int, measure: Callable[[], Measured]) -> str:
    """Return a row of the table, of renders without and with previews in alternating turns."""
    without, made = [], []
    for _ in range(turns):
        with no_previews():
            without.append(measure())
        made.append(measure())
    return table_row(label, without, made)


def table_row(label: str, without: list[Measured], made: list[Measured]) -> str:
    assert not any(previews for _, previews in without)
    cpu_s = statistics.median(each for each, _ in without)
    with_s = statistics.median(each for each, _ in made)
    previews = statistics.median(number for _, number in made)
    return f"| {label} | {cpu_s:.2f} s | {with_s:.2f} s | {with_s / cpu_s - 1:+.1%} | {previews:.0f} |"


@contextmanager
def no_previews() -> Iterator[None]:
    """Make none."""
    interval_s = schedule.MIN_INTERVAL_S
    schedule.MIN_INTERVAL_S = float("inf")  # type: ignore[misc]
    try:
        yield
    finally:
        schedule.MIN_INTERVAL_S = interval_s  # type: ignore[misc]


def measure_text(name: OutputFormat, folder: Path) -> Measured:
    """Render in this process, and handle the messages as the parent of a renderer does."""
    job = {
        "output": str(folder / "video"),
        "poster": str(folder / "poster"),
        "width": WIDTH,
        "height": HEIGHT,
        "fps": FPS,
        "text": CAPTIONS["100 Latin"],
        "style": "scale",
        "font_family": "Inter",
        "font_size": HEIGHT / 10,
        "color": "#ffcc00",
        "background_color": "#204080",
        "duration_in_frames": FRAMES,
        "options": {"format": name.value},
    }
    previews = []

    def report(sent: Mapping[str, object]) -> None:
        message = parse_message(json.dumps(sent).encode())
        if isinstance(message, PreviewMessage):
            previews.append((folder / "preview").write_bytes(message.jpeg))

    before_s = time.process_time()
    render_text(parse_job(json.dumps(job).encode()), report)
    return time.process_time() - before_s, len(previews)


async def measure_node(turns: int, folder: Path) -> None:
    bundle = bundle_project(make_project(folder), folder / "bundle")
    clock = SystemClock()
    for image_format in IMAGE_FORMATS:
        data = folder / image_format
        data.mkdir()
        storage = open_folder_storage(data, base_url="http://127.0.0.1:1", clock=clock, shared=False)
        deployment = replace(make_deployment(bundle), image_format=image_format)
        async with open_node_backend(deployment, storage, clock=clock) as backend:
            await render_with_node(backend)  # the first one starts Node and the browser
            without, made = [], []
            for _ in range(turns):
                with no_previews():
                    without.append(await render_with_node(backend))
                made.append(await render_with_node(backend))
        print(table_row(f"node, {image_format.upper()} frames", without, made), flush=True)


async def render_with_node(backend: NodeBackend) -> Measured:
    now = datetime.now(UTC)
    props = {"text": CAPTIONS["100 Latin"], "color": "#ffcc00", "durationInFrames": FRAMES, "fps": FPS}
    render = Render(
        id=new_render_id(now),
        owner="benchmark",
        created_at=now,
        composition_id=TEXT_ANIMATION,
        input_props=json.dumps(props),
        output_options=OutputOptions(width=WIDTH, height=HEIGHT),
    )
    render = lifecycle.launch(render, now=now)
    before_s, previews = cpu_time_s(os.getpid()), set()
    await backend.start(render)
    while not isinstance(observed := await backend.observe(render), AttemptFinished):
        assert isinstance(observed, AttemptProgress), observed
        previews.add(observed.preview_frame)
        await asyncio.sleep(backend.poll_interval.total_seconds())
    await backend.abandon(render)
    return cpu_time_s(os.getpid()) - before_s, len(previews - {None})


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
