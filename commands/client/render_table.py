"""The table of `rendercast list`."""

from collections.abc import Mapping

import typer
from rendercast.client import Render
from rich.cells import cell_len, set_cell_size

from commands.client.views import printable, size

COLUMNS = {"id": 26, "status": 9, "progress": 8, "created": 16, "format": 6, "size": 9}  # terminal cells
LESS_IMPORTANT = ("size", "format", "created", "progress")  # the first is left out first on a narrow terminal
MIN_CONTENT_CELLS = 20
MAX_CONTENT_CELLS = 60  # if the output is not a terminal
COLORS = {"complete": "green", "failed": "red", "cancelled": "yellow", "rendering": "cyan"}


class RenderTable:
    """The lines of `rendercast list`. On a terminal of `width` cells, no line is wider, and statuses have colours."""

    def __init__(self, width: int | None) -> None:
        self._is_terminal = width is not None
        self._columns = dict(COLUMNS)
        self._content = MAX_CONTENT_CELLS
        if width is None:
            return
        for name in LESS_IMPORTANT:
            if self._cells_left(width) < MIN_CONTENT_CELLS:
                del self._columns[name]
        self._content = max(MIN_CONTENT_CELLS, self._cells_left(width))

    def _cells_left(self, width: int) -> int:
        return width - sum(cells + 2 for cells in self._columns.values())

    def header(self) -> str:
        """Return the first line."""
        return self._line({name: name for name in (*COLUMNS, "content")})

    def row(self, render: Render) -> str:
        """Return the line of a render."""
        return self._line(_cells(render))

    def _line(self, texts: Mapping[str, str]) -> str:
        """Return a line. The content is the last column, because its characters may be wider than one cell."""
        cells = [printable(texts[name]).ljust(width) for name, width in self._columns.items()]
        content = printable(texts["content"])
        if cell_len(content) > self._content:
            content = set_cell_size(content, self._content - 1).rstrip() + "…"
        if self._is_terminal:
            cells[1] = typer.style(cells[1], fg=COLORS.get(texts["status"]))
        return "  ".join([*cells, content]).rstrip()


def _cells(render: Render) -> dict[str, str]:
    animation = render.animation_props
    return {
        "id": render.id,
        "status": render.status.lower(),
        "progress": f"{render.progress} %",
        "created": f"{render.created_at.astimezone():%Y-%m-%d %H:%M}",
        "format": render.output.format.lower(),
        "size": "" if render.output_size_bytes is None else size(render.output_size_bytes),
        "content": render.composition_id if animation is None else " ".join(animation.text.split()),
    }
