"""Views of a batch: one bar, lines, JSON, or none. `commands.client.views` has those of a render."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import typer

from commands.client.views import LINE_STEP_PERCENT, printable, write_json

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchState:
    """The rows of a batch: all, started, rendering, saved and failed ones. `percent` is their mean progress."""

    rows: int
    started: int
    rendering: int
    saved: int
    failed: int
    percent: float

    @property
    def text(self) -> str:
        """The numbers as a text."""
        parts = [f"{self.saved} of {self.rows} saved"]
        if self.started < self.rows:
            parts.append(f"{self.started} started")
        if self.rendering:
            parts.append(f"{self.rendering} rendering")
        if self.failed:
            parts.append(f"{self.failed} failed")
        return ", ".join(parts)


def plural(number: int, noun: str) -> str:
    """Return the number with the noun."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


class BatchView(Protocol):
    """Shows a batch."""

    def show(self, state: BatchState) -> None:
        """Show a newer state."""
        ...

    def end_row(self, row: dict[str, object]) -> None:
        """Show the result of a row."""
        ...

    def write_line(self, text: str) -> None:
        """Show a text."""
        ...


class SilentBatchView:
    """Shows nothing."""

    def show(self, state: BatchState) -> None:
        """Show nothing."""

    def end_row(self, row: dict[str, object]) -> None:
        """Show nothing."""

    def write_line(self, text: str) -> None:
        """Show nothing."""


class JsonBatchView(SilentBatchView):
    """Writes each row that has ended as one line of JSON to standard output, and texts to standard error."""

    def end_row(self, row: dict[str, object]) -> None:
        """Write the row."""
        write_json(row)

    def write_line(self, text: str) -> None:
        """Write the text."""
        typer.echo(printable(text), err=True)


class LineBatchView(SilentBatchView):
    """Writes a line after each 10 percent of progress."""

    def __init__(self) -> None:
        self._percent = 0.0

    def show(self, state: BatchState) -> None:
        """Write a line if the progress has increased enough."""
        if state.percent >= self._percent + LINE_STEP_PERCENT:
            self._percent = state.percent - state.percent % LINE_STEP_PERCENT
            self.write_line(f"{int(state.percent)} %, {state.text}")

    def write_line(self, text: str) -> None:
        """Write the text to standard error."""
        typer.echo(printable(text), err=True)


class BarBatchView(SilentBatchView):
    """Shows a progress bar on the terminal."""

    def __init__(self, progress: "Progress", task: "TaskID") -> None:
        self._progress = progress
        self._task = task

    def show(self, state: BatchState) -> None:
        """Update the bar."""
        self._progress.update(self._task, completed=state.percent, text=state.text, refresh=True)

    def write_line(self, text: str) -> None:
        """Write the text above the bar."""
        self._progress.console.print(printable(text), markup=False, highlight=False)


@contextmanager
def open_batch_view(*, as_json: bool, quiet: bool) -> Iterator[BatchView]:
    """Yield the view for the options: by default a bar on a terminal, lines elsewhere."""
    if as_json:
        yield JsonBatchView()
    elif quiet:
        yield SilentBatchView()
    elif sys.stderr.isatty():
        with _open_bar() as bar:
            yield bar
    else:
        yield LineBatchView()


@contextmanager
def _open_bar() -> Iterator[BarBatchView]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[text]}", markup=False),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), redirect_stdout=False, redirect_stderr=False) as progress:
        yield BarBatchView(progress, progress.add_task("batch", total=100, text=""))
