"""The renderer `node`, compared with Remotion's template of a render server and with `npx remotion render`.

`python -m benchmarks.own_machines [turns] [60] [600] [several]`, after `npm ci --prefix benchmarks/remotion`. The same
clips are rendered with the headless shell and the same options (`benchmarks/remotion_renderers.py`). The renderers take
turns, so that other load on the machine affects all of them; each figure is the median of its turns, each ratio that of
the ratios within a turn. Then several clips are rendered one after the other, and some at once, also by the template
with a page for each core.
"""

import os
import shutil
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from itertools import product
from pathlib import Path

import av

from benchmarks.process_tree import Meter
from benchmarks.remotion_renderers import CommandLine, Rendercast, Renderer, SeveralRenderer, Template

TURNS = 5
LENGTHS = (60, 600)
BROWSER = "chromium-headless-shell"
SEVERAL, AT_ONCE, FRAMES_OF_EACH = 4, (1, 2, 4), 150
HEAD = """\
| | seconds | to the template | to npx | CPU s | to the template | frames per CPU s | peak memory |
|---|---:|---:|---:|---:|---:|---:|---:|"""

Measured = Mapping[str, Sequence[Meter]]


def main(turns: int, parts: Sequence[str]) -> None:
    path = shutil.which(BROWSER)
    assert path is not None, f"there is no {BROWSER}"
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        rendercast = stack.enter_context(closing(Rendercast(path, folder / "data", capacity=SEVERAL)))
        template = stack.enter_context(closing(Template(path)))
        renderers: dict[str, Renderer] = {"rendercast": rendercast, "template": template, "npx": CommandLine(path)}
        for each in renderers.values():  # which fills caches
            measure(each, LENGTHS[0], folder)
        for frames in LENGTHS:
            if str(frames) in parts:
                print_lengths(frames, measure_all(renderers, frames, folder, turns))
        if "several" in parts:
            best = stack.enter_context(closing(Template(path, pages=os.cpu_count() or 1)))
            print_several(measure_several({"template": best, "rendercast": rendercast}, folder, turns))


def measure_all(renderers: Mapping[str, Renderer], frames: int, folder: Path, turns: int) -> Measured:
    """Let each renderer render the clip in each turn, in another order each time."""
    found: defaultdict[str, list[Meter]] = defaultdict(list)
    for turn in range(turns):
        names = list(renderers)
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            found[name].append(measure(renderers[name], frames, folder))
    return found


def measure(renderer: Renderer, frames: int, folder: Path) -> Meter:
    """Render a clip, and check its number of frames."""
    output = folder / "output.mp4"
    with Meter() as meter:
        renderer.render(frames, output, meter)
    check(output, frames)
    return meter


def measure_several(renderers: Mapping[str, SeveralRenderer], folder: Path, turns: int) -> Measured:
    """Render several clips, one after the other and some at once, in each turn."""
    found: defaultdict[str, list[Meter]] = defaultdict(list)
    output = folder / "output.mp4"
    for _, count, name in product(range(turns), AT_ONCE, renderers):
        with Meter() as meter:
            for _ in range(SEVERAL // count):
                renderers[name].render_several([FRAMES_OF_EACH] * count, output, meter)
        found[f"{name}, {count} at once"].append(meter)
        check(output, FRAMES_OF_EACH)
    return found


def check(output: Path, frames: int) -> None:
    """Check that a video has this number of frames, and remove it."""
    with av.open(str(output)) as container:
        assert sum(1 for _ in container.demux(video=0) if _.size) == frames
    output.unlink()


def print_lengths(frames: int, measured: Measured) -> None:
    print(f"\n## {frames} frames, {len(measured['npx'])} turns\n\n{HEAD}")
    for name, meters in measured.items():
        seconds, cpu_s = (statistics.median(values) for values in (times(meters), cpu_times(meters)))
        to_template = ratio(times(meters), times(measured["template"]))
        to_npx = ratio(times(meters), times(measured["npx"]))
        cpu_to_template = ratio(cpu_times(meters), cpu_times(measured["template"]))
        memory = max(meter.memory for meter in meters) >> 20
        print(
            f"| {name} | {seconds:.2f} | {to_template:.2f} | {to_npx:.2f} | {cpu_s:.2f} | {cpu_to_template:.2f} "
            f"| {frames / cpu_s:.1f} | {memory} MB |"
        )


def print_several(measured: Measured) -> None:
    """Print the throughputs, also as parts of the template's best one."""
    print(f"\n## {SEVERAL} clips of {FRAMES_OF_EACH} frames\n")
    print("| | seconds | frames per second | throughput | CPU s | peak memory |\n|---|---:|---:|---:|---:|---:|")
    best = min((times(meters) for name, meters in measured.items() if "template" in name), key=statistics.median)
    for name, meters in measured.items():
        seconds, cpu_s = statistics.median(times(meters)), statistics.median(cpu_times(meters))
        per_s, memory = SEVERAL * FRAMES_OF_EACH / seconds, max(meter.memory for meter in meters) >> 20
        print(
            f"| {name} | {seconds:.2f} | {per_s:.1f} | {ratio(best, times(meters)):.2f} | {cpu_s:.1f} | {memory} MB |"
        )


def times(meters: Sequence[Meter]) -> list[float]:
    return [meter.seconds for meter in meters]


def cpu_times(meters: Sequence[Meter]) -> list[float]:
    return [meter.cpu_s for meter in meters]


def ratio(values: Sequence[float], others: Sequence[float]) -> float:
    """Return the median of the ratios within a turn."""
    return statistics.median(value / other for value, other in zip(values, others, strict=True))


if __name__ == "__main__":
    given = sys.argv[1:]
    main(int(given[0]) if given else TURNS, given[1:] or [*map(str, LENGTHS), "several"])
