"""CPU time and memory of the text renderer's child processes, including their start.

`python -m benchmarks.text_renderer [runs]` prints a table for the styles and captions, and one for the other formats.
Renders of all kinds alternate, so that other load on the machine affects all of them equally; each figure is the median
of its runs.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from services.settings import CHECKOUT

FPS = 30
STYLES = ("fade-in", "typewriter", "slide-up", "scale")
SIZES = {"720p": (1280, 720), "1080p": (1920, 1080)}
CAPTIONS = {
    "short": "Hello, world",
    "100 Latin": (
        "The quick brown fox jumps over the lazy dog, and then it went home to sleep for the whole afternoon."
    ),
    "100 mixed": (
        "Hello مرحبا بالعالم नमस्ते क्षत्रिय 日本語テキスト 한국어 สวัสดี שלום 👨‍👩‍👧‍👦🇫🇷👍🏽🎉 Ελληνικά Кириллица and the"
    ),
}


# All formats but H.264, which the styles and captions are measured with; those with transparency also with it.
FORMATS = {
    "H265": {"format": "h265"},
    "VP8": {"format": "vp8"},
    "VP8, transparent": {"format": "vp8", "transparent": True},
    "VP9": {"format": "vp9"},
    "VP9, transparent": {"format": "vp9", "transparent": True},
    "PRORES": {"format": "prores"},
    "PRORES, transparent": {"format": "prores", "transparent": True},
    "GIF": {"format": "gif"},
    "PNG": {"format": "png", "frame": -1},
    "JPEG": {"format": "jpeg", "frame": -1},
    "WEBP": {"format": "webp", "frame": -1},
}
STILLS = ("PNG", "JPEG", "WEBP")

# As in an installation, modules are compiled once, not at each start, which would take as long again.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


@dataclass(frozen=True)
class Case:
    """One output to render. `output` is H264, or a key of `FORMATS`."""

    size: str
    style: str
    caption: str
    frames: int
    output: str = "H264"


@dataclass(frozen=True)
class Cost:
    """The resources that one process used."""

    cpu_s: float
    rss_mb: float
    size_kb: float


def job(case: Case, output: Path) -> dict[str, object]:
    width, height = SIZES[case.size]
    return {
        "output": str(output),
        "poster": str(output.with_suffix(".jpg")),
        "width": width,
        "height": height,
        "fps": FPS,
        "text": CAPTIONS[case.caption],
        "style": case.style,
        "font_family": "Inter",
        "font_size": height / 10,
        "color": "#ffcc00",
        "background_color": "#204080",
        "duration_in_frames": case.frames,
        "options": FORMATS.get(case.output, {}),
    }


def render(case: Case, output: Path, *, checkout: Path = CHECKOUT) -> Cost:
    """Render in a process of its own, with the code of this checkout."""
    process = subprocess.Popen(
        [sys.executable, "-m", "services.backends.text.child"],
        cwd=checkout,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=ENVIRONMENT,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(job(case, output)).encode() + b"\n")
    process.stdin.flush()
    messages = []
    for line in process.stdout:
        messages.append(line.decode())
        if '"done"' in messages[-1]:
            process.stdin.close()  # it would wait for another job
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, messages
    return Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, output.stat().st_size / 1024)


def measure(cases: list[Case], runs: int) -> dict[Case, Cost]:
    costs: dict[Case, list[Cost]] = {case: [] for case in cases}
    with tempfile.TemporaryDirectory() as folder:
        for _, case in product(range(runs), cases):
            costs[case].append(render(case, Path(folder) / "video.part"))
    return {case: median(measured) for case, measured in costs.items()}


def median(costs: list[Cost]) -> Cost:
    return Cost(
        statistics.median(cost.cpu_s for cost in costs),
        statistics.median(cost.rss_mb for cost in costs),
        statistics.median(cost.size_kb for cost in costs),
    )


def rows(costs: dict[Case, Cost]) -> Iterator[str]:
    yield "| output | size | style | caption | frames | CPU s | × realtime | max RSS MB | file KB |"  # noqa: RUF001
    yield "|---|---|---|---|---:|---:|---:|---:|---:|"
    for case, cost in costs.items():
        pace = "" if case.output in STILLS else f"{case.frames / FPS / cost.cpu_s:.1f}"
        yield (
            f"| {case.output} | {case.size} | {case.style} | {case.caption} | {case.frames} | {cost.cpu_s:.2f} "
            f"| {pace} | {cost.rss_mb:.0f} | {cost.size_kb:.0f} |"
        )


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    cases = [Case(size, style, caption, 90) for size, style, caption in product(SIZES, STYLES, CAPTIONS)]
    others = [Case(size, "scale", "100 Latin", 90, output) for size, output in product(SIZES, FORMATS)]
    all_costs = measure([*cases, *others], runs)
    costs = {case: cost for case, cost in all_costs.items() if case.output == "H264"}
    print(f"Medians of {runs} runs in CPU time; a render is a whole process, including its start.\n")
    print("\n".join(rows(costs)))
    print()
    print("\n".join(rows({case: cost for case, cost in all_costs.items() if case not in costs})))
    max_cpu_s = max(cost.cpu_s for case, cost in costs.items() if case.size == "720p")
    max_rss_mb = max(cost.rss_mb for cost in costs.values())
    print(f"\n90 frames at 720p, process start included: at most {max_cpu_s:.2f} s of CPU (target: 1.5 s).")
    for size, target in (("720p", 3), ("1080p", 2)):
        pace = min(case.frames / FPS / cost.cpu_s for case, cost in costs.items() if case.size == size)
        print(f"Slowest at {size}: {pace:.1f} × realtime in CPU time (target: {target} ×).")  # noqa: RUF001
    print(f"Maximum: {max_rss_mb:.0f} MB resident (target: at most 400 MB).")


if __name__ == "__main__":
    main()
