"""CPU time of clips of the text renderer whose text is at rest most of the time, and the time to the first progress.

`python -m benchmarks.text_at_rest [runs] [folder]` compares with an earlier version, if the folder with its checkout is
given, and with x264's preset `veryfast` on the same frames, one thread, without painting. All kinds alternate. A
process that runs several renders starts once, so that ratios are shown with and without its start.
"""

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path

from benchmarks.text_renderer import CAPTIONS, ENVIRONMENT, FPS, SIZES, STYLES, Case, job, render
from services.backends.text.codecs import codec_of
from services.backends.text.encode_video import Encoder
from services.backends.text.frames import Painter
from services.backends.text.job import parse_job
from services.backends.text.layout import lay_out
from services.backends.text.styles import Timeline
from services.settings import CHECKOUT

NOW, BEFORE, X264 = "now", "before", "x264"
FRAMES = (600, 90)
CAPTIONS["500"] = ("The quick brown fox jumps over the lazy dog, and then it went home. " * 8)[:500]
LENGTHS = {"12": "short", "500": "500"}


def main(runs: int = 3, earlier: str | None = None, size: str | None = None, frames: int | None = None) -> None:
    checkouts = {NOW: CHECKOUT} | ({BEFORE: Path(earlier).resolve()} if earlier else {})
    sizes = [size] if size else SIZES
    with tempfile.TemporaryDirectory() as folder:
        starts = {name: start_cpu_s(checkout) for name, checkout in checkouts.items()}
        print(f"CPU time of a start: {starts}")
        for count in [frames] if frames else FRAMES:
            cases = [Case(*each, count) for each in product(sizes, STYLES, LENGTHS.values())]
            print(f"\n## {count} frames: medians of {runs} runs, seconds of CPU time, start included\n")
            print("\n".join(rows(measure(cases, runs, checkouts, Path(folder) / "video.part"), starts)), flush=True)
        print(f"\n## Milliseconds to the first progress: medians of {5 * runs}, 720p\n")
        for name, wait in product(checkouts, (False, True)):
            samples = [first_progress(checkouts[name], Path(folder) / "video.part", wait=wait) for _ in range(5 * runs)]
            process = "a waiting process" if wait else "a new process"
            print(f"{name}, {process}: {statistics.median(samples) * 1000:.0f}", flush=True)


Measured = dict[Case, dict[str, tuple[float, float]]]


def measure(cases: list[Case], runs: int, checkouts: Mapping[str, Path], output: Path) -> Measured:
    """Return the medians of CPU time in seconds and file size in KB."""
    samples: dict[tuple[Case, str], list[tuple[float, float]]] = defaultdict(list)
    for _, case in product(range(runs), cases):
        for name, checkout in checkouts.items():
            cost = render(case, output, checkout=checkout)
            samples[case, name].append((cost.cpu_s, cost.size_kb))
        samples[case, X264].append(plain_x264(case, output))
    medians: Measured = {case: {} for case in cases}
    for (case, name), found in samples.items():
        cpu_s, size_kb = (statistics.median(column) for column in zip(*found, strict=True))
        medians[case][name] = cpu_s, size_kb
    return medians


def start_cpu_s(checkout: Path) -> float:
    """Return the CPU time in seconds of a process without a job."""
    samples = []
    command = [sys.executable, "-m", "services.backends.text.child"]
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, cwd=checkout, env=ENVIRONMENT, input=b"", check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        samples.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(samples)


def rows(measured: Measured, starts: Mapping[str, float]) -> Iterator[str]:
    columns = ("now", "before", "ratio", "without start", "x264 alone", "now, KB", "before, KB", "x264, KB")
    yield f"| size | characters | style | {' | '.join(columns)} |"
    yield f"|---|---:|---|{'---:|' * len(columns)}"
    ratios = defaultdict(list)
    for case, found in measured.items():
        (now, now_kb), (before, before_kb) = found[NOW], found.get(BEFORE, (float("nan"), float("nan")))
        x264, x264_kb = found[X264]
        length = next(name for name, caption in LENGTHS.items() if caption == case.caption)
        started = (now - starts[NOW]) / (before - starts.get(BEFORE, 0))
        ratios[case.size, length].append((now / before, started))
        seconds = " | ".join(f"{each:.2f}" for each in (now, before, now / before, started, x264))
        sizes = " | ".join(f"{each:.0f}" for each in (now_kb, before_kb, x264_kb))
        yield f"| {case.size} | {length} | {case.style} | {seconds} | {sizes} |"
    for (size, length), found_ratios in ratios.items():
        ratio, started = (statistics.median(column) for column in zip(*found_ratios, strict=True))
        yield f"| {size} | {length} | median | | | {ratio:.2f} | {started:.2f} | | | | |"


def plain_x264(case: Case, output: Path) -> tuple[float, float]:
    """Return the CPU time in seconds and the size in KB of the same frames, encoded one by one."""
    parsed = parse_job(json.dumps(job(case, output)).encode())
    width, height = SIZES[case.size]
    codec = replace(
        codec_of(parsed.options, width=width, has_alpha=False),
        options={"preset": "veryfast", "crf": "20", "x264-params": "threads=1"},
    )
    layout = lay_out(parsed.text, family=parsed.font_family, size=parsed.font_size, width=width, height=height)
    timeline = Timeline(frames=case.frames, fps=FPS, height=height, graphemes=layout.grapheme_count)
    with Encoder(output, codec=codec, media=parsed.media, colors=parsed.colors) as encoder:
        painter, cpu_s = Painter(encoder.picture, layout), 0.0
        for number in range(case.frames):
            painter.paint(timeline.pose(parsed.style, number))
            before_s = time.process_time()
            encoder.add_frame()
            cpu_s += time.process_time() - before_s
        size_bytes = encoder.finish()
    return cpu_s, size_bytes / 1024


def first_progress(checkout: Path, output: Path, *, wait: bool) -> float:
    """Return the seconds from a job's start to its first progress, in a new process or one that waits for a job."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "services.backends.text.child"]
    with subprocess.Popen(
        command, cwd=checkout, env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        if wait:
            time.sleep(1)
            started = time.perf_counter()
        process.stdin.write(json.dumps(job(Case("720p", "scale", "short", 600), output)).encode() + b"\n")
        process.stdin.flush()
        while b'"progress"' not in process.stdout.readline():
            pass
        passed_s = time.perf_counter() - started
        process.kill()
    return passed_s


if __name__ == "__main__":
    main(*(int(each) if each.isdigit() else each for each in sys.argv[1:]))  # type: ignore[arg-type]
