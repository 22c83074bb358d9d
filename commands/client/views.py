"""Views of a render's progress: a bar, lines, JSON, or none.

Texts for users go to standard error, so that standard output contains only the result.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import typer

if TYPE_CHECKING:
    from rendercast.client import Render
    from rich.progress import Progress, TaskID

LINE_STEP_PERCENT = 10  # progress between two lines
KILO = 1000
STARTING = "starting"
KINDS_WITH_FRAMES = {"VIDEO", "GIF"}


class View(Protocol):
    """Shows the progress of a render."""

    def show(self, render: "Render") -> None:
        """Show a newer state."""
        ...

    def write_line(self, text: str) -> None:
        """Show a text in addition to the state."""
        ...


class SilentView:
    """Shows nothing."""

    def show(self, render: "Render") -> None:
        """Show nothing."""

    def write_line(self, text: str) -> None:
        """Show nothing."""


class JsonView(SilentView):
    """Writes each state as one line of JSON to standard output."""

    def show(self, render: "Render") -> None:
        """Write the whole object from the response."""
        write_json(render.raw)


class LineView:
    """Writes a line when the render's activity changes and after each 10 percent of progress."""

    def __init__(self) -> None:
        self._activity = ""
        self._progress = 0

    def show(self, render: "Render") -> None:
        """Write a line if the activity has changed or the progress has increased enough."""
        activity = activity_of(render)
        if activity != self._activity or render.progress >= self._progress + LINE_STEP_PERCENT:
            self._activity, self._progress = activity, render.progress
            self.write_line(
                f"{render.id}  {activity}" + (f" {render.progress} %" if render.status == "RENDERING" else "")
            )

    def write_line(self, text: str) -> None:
        """Write the text to standard error."""
        typer.echo(printable(text), err=True)


class BarView:
    """Shows a progress bar on the terminal."""

    def __init__(self, progress: "Progress", task: "TaskID") -> None:
        self._progress = progress
        self._task = task

    def show(self, render: "Render") -> None:
        """Update the bar."""
        frames = f"{render.frames_rendered}/{render.total_frames} frames" if has_frames(render) else ""
        self._progress.update(
            self._task, description=activity_of(render), completed=render.progress, frames=frames, refresh=True
        )

    def write_line(self, text: str) -> None:
        """Write the text above the bar."""
        self._progress.console.print(printable(text), markup=False, highlight=False)


@contextmanager
def open_view(*, as_json: bool, quiet: bool) -> Iterator[View]:
    """Yield the view for the options: by default a bar on a terminal, lines elsewhere."""
    if as_json:
        yield JsonView()
    elif quiet:
        yield SilentView()
    elif sys.stderr.isatty():
        with open_bar() as bar:
            yield bar
    else:
        yield LineView()


@contextmanager
def open_bar() -> Iterator[BarView]:
    """Yield a progress bar on standard error, shown until the context exits."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description:<15}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[frames]}", markup=False),
        TimeElapsedColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, redirect_stdout=False, redirect_stderr=False) as progress:
        task = progress.add_task(STARTING, total=100, frames="")
        try:
            yield BarView(progress, task)
        finally:
            if progress.tasks[task].description == STARTING:  # there is no render
                progress.update(task, visible=False)


def activity_of(render: "Render") -> str:
    """Return the render's phase, queue position or status."""
    if render.status == "QUEUED" and render.queue_position:
        return f"queued, position {render.queue_position}"
    if render.status == "RENDERING" and render.phase:
        return render.phase.partition("_")[0].lower()
    return render.status.lower()


def has_frames(render: "Render") -> bool:
    """Return whether the render's progress and output can be described by a number of frames."""
    return render.output.kind in KINDS_WITH_FRAMES and render.total_frames > 0


def describe_output(render: "Render") -> str:
    """Return what a complete render contains, and its size."""
    parts = [f"{render.total_frames} frames"] if has_frames(render) else []
    output = render.output
    if output.kind == "STILL" and output.width and output.height:
        parts.append(f"{output.width}x{output.height} pixels")
    return ", ".join([*parts, size(render.output_size_bytes or 0)])


def printable(text: str) -> str:
    """Replace all characters that are not printable, except line breaks: they could control the terminal."""
    return "".join(char if char.isprintable() or char == "\n" else "\N{REPLACEMENT CHARACTER}" for char in text)


def size(size_bytes: int) -> str:
    """Return a size as text with a decimal unit, such as 12.2 kB."""
    amount, units = float(size_bytes), iter(("kB", "MB", "GB", "TB"))
    if amount < KILO:
        return f"{size_bytes} B"
    unit = "B"
    while amount >= KILO:
        amount, unit = amount / KILO, next(units, unit)
        if unit == "TB":
            break
    return f"{amount:.1f} {unit}"


def write_json(value: object) -> None:
    """Write a value as one line to standard output, and flush it."""
    typer.echo(json.dumps(value, ensure_ascii=False))
    sys.stdout.flush()
