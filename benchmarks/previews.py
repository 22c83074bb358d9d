"""CPU time of live previews: `python -m benchmarks.previews [turns]`.

The same renders without and with previews, in alternating turns. The CPU time is that of this process and all its
descendants: Node, the browser and FFmpeg for `node`. `added` is the difference; `measured` is the share of the CPU time
that was measured while previews were made, which other load on the machine changes less. The renders with `node` need
Node, Chromium and the packages of the tests.
"""

import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

from benchmarks.text_renderer import CAPTIONS
from services.backends.previews.schedule import PreviewSchedule
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """CPU time of a render in seconds, and the part of it that was measured while previews were made; their number."""

    cpu_s: float
    making_s: float
    previews: int


class Meter:
    """Switches previews on and off, and adds up what the schedule learns about their costs."""

    def __init__(self) -> None:
        self.costs: list[float] = []
        self._add = PreviewSchedule.add
        self._is_due = PreviewSchedule.is_due

    def switch(self, *, on: bool) -> None:
        """Let previews be made or not, and forget the earlier ones."""
        self.costs.clear()
        add, costs, is_due = self._add, self.costs, self._is_due

        def counting(schedule: PreviewSchedule, cost_s: float, *, now_s: float, cpu_s: float) -> None:
            costs.append(cost_s)
            add(schedule, cost_s, now_s=now_s, cpu_s=cpu_s)

        PreviewSchedule.add = counting  # type: ignore[assignment, method-assign]
        PreviewSchedule.is_due = is_due if on else never_due  # type: ignore[assignment, method-assign]

    def cost(self, cpu_s: float) -> Cost:
        """Return the cost of a render."""
        return Cost(cpu_s=cpu_s, making_s=sum(self.costs), previews=len(self.costs))


def never_due(schedule: PreviewSchedule, *, now_s: float, cpu_s: float) -> bool:
    del schedule, now_s, cpu_s
    return False


def main(turns: int = TURNS) -> None:
    print(f"Medians of {turns} turns, {FRAMES} frames of {WIDTH} x {HEIGHT}.\n")
    print("| render | CPU without | CPU with | added | measured | previews |\n|---|---:|---:|---:|---:|---:|")
    meter = Meter()
    with tempfile.TemporaryDirectory() as folder:
        for name in TEXT_FORMATS:
            print(text_row(name, turns, Path(folder), meter), flush=True)
        asyncio.run(measure_node(turns, Path(folder), meter))


def text_row(name: OutputFormat, turns: int, folder: Path, meter: Meter) -> str:
    costs: dict[bool, list[Cost]] = {False: [], True: []}
    for _, on in product(range(turns), (False, True)):
        meter.switch(on=on)
        costs[on].append(meter.cost(measure_text(name, folder)))
    return table_row(f"text, {name.name}", costs)


def table_row(label: str, costs: dict[bool, list[Cost]]) -> str:
    """Return a row of the table, of renders without and with previews."""
    assert not any(cost.previews for cost in costs[False])
    without_s, with_s = (statistics.median(cost.cpu_s for cost in costs[on]) for on in (False, True))
    share = statistics.median(cost.making_s / cost.cpu_s for cost in costs[True])
    previews = statistics.median(cost.previews for cost in costs[True])
    added = with_s / without_s - 1
    return f"| {label} | {without_s:.2f} s | {with_s:.2f} s | {added:+.1%} | {share:.1%} | {previews:.0f} |"


def measure_text(name: OutputFormat, folder: Path) -> float:
    """Return the CPU time of a render in this process, which handles the messages as the renderer's parent does."""
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

    def report(sent: Mapping[str, object]) -> None:
        message = parse_message(json.dumps(sent).encode())
        if isinstance(message, PreviewMessage):
            (folder / "preview").write_bytes(message.jpeg)

    before_s = time.process_time()
    render_text(parse_job(json.dumps(job).encode()), report)
    return time.process_time() - before_s


async def measure_node(turns: int, folder: Path, meter: Meter) -> None:
    bundle = bundle_project(make_project(folder), folder / "bundle")
    clock = SystemClock()
    for image_format in IMAGE_FORMATS:
        data = folder / image_format
        data.mkdir()
        storage = open_folder_storage(data, base_url="http://127.0.0.1:1", clock=clock, shared=False)
        deployment = replace(make_deployment(bundle), image_format=image_format)
        costs: dict[bool, list[Cost]] = {False: [], True: []}
        async with open_node_backend(deployment, storage, clock=clock) as backend:
            await render_with_node(backend)  # the first one starts Node and the browser
            for _, on in product(range(turns), (False, True)):
                meter.switch(on=on)
                costs[on].append(meter.cost(await render_with_node(backend)))
        print(table_row(f"node, {image_format.upper()} frames", costs), flush=True)


async def render_with_node(backend: NodeBackend) -> float:
    """Return the CPU time of a render, of this process and all its descendants."""
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
    before_s = cpu_time_s(os.getpid())
    await backend.start(render)
    while not isinstance(observed := await backend.observe(render), AttemptFinished):
        assert isinstance(observed, AttemptProgress), observed
        await asyncio.sleep(backend.poll_interval.total_seconds())
    await backend.abandon(render)
    return cpu_time_s(os.getpid()) - before_s


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
