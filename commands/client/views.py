"""How a render is shown while it is followed: as a bar, as lines, as JSON, or not at all.

People's words go to standard error, so that standard output holds nothing but what was asked for.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import typer

from commands.client.responses import Render

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

STEP = 10  # percent between two lines
KILO = 1000


class View(Protocol):
    """Shows a render."""

    def show(self, render: Render) -> None:
        """Show its newest state."""
        ...

    def say(self, sentence: str) -> None:
        """Tell people something beside."""
        ...


class Silence:
    """Shows nothing."""

    def show(self, render: Render) -> None:
        """Show nothing."""

    def say(self, sentence: str) -> None:
        """Say nothing."""


class JsonLines(Silence):
    """Writes each state as an object on a line of standard output."""

    def show(self, render: Render) -> None:
        """Write all the server said."""
        write_json(render.raw)


class Lines:
    """Writes a line when the render does something else, and now and then while it gets on."""

    def __init__(self) -> None:
        self._doing = ""
        self._progress = 0

    def show(self, render: Render) -> None:
        """Write a line if it is time for one."""
        doing = what_it_does(render)
        if doing != self._doing or render.progress >= self._progress + STEP:
            self._doing, self._progress = doing, render.progress
            self.say(f"{render.id}  {doing}" + (f" {render.progress} %" if render.status == "RENDERING" else ""))

    def say(self, sentence: str) -> None:
        """Write it to standard error."""
        typer.echo(printable(sentence), err=True)


class Bar:
    """Draws a bar on the terminal."""

    def __init__(self, progress: "Progress", task: "TaskID") -> None:
        self._progress = progress
        self._task = task

    def show(self, render: Render) -> None:
        """Draw the bar anew."""
        frames = f"{render.frames_rendered}/{render.total_frames} frames"
        self._progress.update(
            self._task, description=what_it_does(render), completed=render.progress, frames=frames, refresh=True
        )

    def say(self, sentence: str) -> None:
        """Write it above the bar."""
        self._progress.console.print(printable(sentence), markup=False, highlight=False)


@contextmanager
def open_view(*, as_json: bool, quiet: bool) -> Iterator[View]:
    """Open the view that fits what was asked for and where it goes."""
    if as_json:
        yield JsonLines()
    elif quiet:
        yield Silence()
    elif sys.stderr.isatty():
        with open_bar() as bar:
            yield bar
    else:
        yield Lines()


@contextmanager
def open_bar() -> Iterator[Bar]:
    """Draw a bar on standard error until this is left."""
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
        yield Bar(progress, progress.add_task("starting", total=100, frames=""))


def what_it_does(render: Render) -> str:
    """Return in a few words what a render is doing."""
    if render.status == "QUEUED" and render.queue_position:
        return f"queued, place {render.queue_position}"
    if render.status == "RENDERING" and render.phase:
        return render.phase.partition("_")[0].lower()
    return render.status.lower()


def printable(text: str) -> str:
    """Return the text without what would do something else to a terminal than show a character or end a line."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "\N{REPLACEMENT CHARACTER}" for letter in text)


def size(size_bytes: int) -> str:
    """Return a size as people read it."""
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
    """Write it as one line of standard output, at once."""
    typer.echo(json.dumps(value, ensure_ascii=False))
    sys.stdout.flush()
