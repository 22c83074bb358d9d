"""The results of `benchmarks.summary`: figures, where and when they were measured, and of which versions."""

import json
import os
import platform
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from benchmarks.figures import Figure

DOCS = Path(__file__).parents[1] / "docs"
# The files that are written after each part of a run.
RESULTS = Path(__file__).with_name("results.json")
PAGE, CHART = DOCS / "performance.md", DOCS / "images" / "performance.svg"
PEERS = Path(__file__).with_name("peers")
PEER_PACKAGES = (
    "graphql-yoga",
    "graphql-ws",
    "ws",
    "graphql-jit",
    "uwebsockets",
    "graphql",
    "jsonwebtoken",
    "mongodb",
    "ioredis",
)
DIGITS = 4


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of a benchmark, and the day, commit and number of turns of its run."""

    date: str
    commit: str
    turns: int
    figures: Sequence[Figure]


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """Parts that were measured on the same machine with the same versions of Python, Node and the peers."""

    machine: str
    versions: dict[str, str]
    parts: dict[str, Part]

    def figures(self) -> Sequence[Figure]:
        """Return the figures of all parts."""
        return [figure for part in self.parts.values() for figure in part.figures]


def read(path: Path) -> Results:
    """Return the results in the file, which `write` has written."""
    return msgspec.json.decode(path.read_bytes(), type=Results)


def write(path: Path, results: Results) -> None:
    """Write the results, with numbers of `DIGITS` digits after the decimal point."""
    rounded = json.loads(msgspec.json.encode(results), parse_float=lambda text: round(float(text), DIGITS))
    path.write_text(json.dumps(rounded, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def measured(turns: int, figures: Sequence[Figure]) -> Part:
    """Return the figures as measured now, from the commit that is checked out; `-dirty` if files differ from it."""
    commit = _git("rev-parse", "--short", "HEAD")
    others = [".", *(f":(exclude){path}" for path in (RESULTS, PAGE, CHART))]
    if _git("status", "--porcelain", "--untracked-files=no", "--", *others):
        commit += "-dirty"
    return Part(date=f"{datetime.now(UTC):%Y-%m-%d}", commit=commit, turns=turns, figures=figures)


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], capture_output=True, check=True, text=True).stdout.strip()  # noqa: S607


def merged(parts: dict[str, Part], before: Results | None, *, order: Sequence[str]) -> Results:
    """Return the results of these parts, and the others of `before` if machine and versions are the same."""
    machine, versions = _machine(), _versions()
    if before is not None and (before.machine, before.versions) == (machine, versions):
        parts = before.parts | parts
    return Results(machine=machine, versions=versions, parts={name: parts[name] for name in order if name in parts})


def _machine() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    memory_gib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    cores = os.cpu_count()
    return f"{model or platform.machine()}, {cores} cores, {memory_gib:.0f} GiB of memory, Linux {platform.release()}"


def _versions() -> dict[str, str]:
    node = subprocess.run(["node", "--version"], capture_output=True, check=True, text=True)  # noqa: S607
    peers = json.loads((PEERS / "package.json").read_text(encoding="utf-8"))["dependencies"]
    own = {"Python": _python(), "Node": node.stdout.strip().removeprefix("v")}
    return own | {name: peers[name] for name in PEER_PACKAGES}


def _python() -> str:
    """Return the version of Python, and whether it was compiled with optimizations: without, it needs more CPU time."""
    version, options = platform.python_version(), str(sysconfig.get_config_var("CONFIG_ARGS"))
    if sys.base_prefix == "/usr":  # distributions optimize in their own way, without the option
        return f"{version} of {platform.freedesktop_os_release()['PRETTY_NAME']}"
    return f"{version}, compiled {'with' if '--enable-optimizations' in options else 'without'} --enable-optimizations"
