"""The rows of a file: CSV with a header, or JSON Lines, each an object.

Every error is one sentence that names the row. Row 1 is the first below the header; empty rows are skipped and not
counted.
"""

import codecs
import csv
import io
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import typer

from commands.client.props import NUMBERS, unique_keys

STDIN = Path("-")
DELIMITERS = "\t;,"  # spreadsheets write the second where the third is the decimal sign
SAMPLE_ROWS = 10  # below the header, with which a delimiter is chosen
MAX_CELL = 1_000_000  # characters; csv's default limit is 131,072
BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row: its number from 1, its first line in the file, and its values by column.

    If `is_text`, the values are cells of CSV; otherwise they have the types of JSON.
    """

    number: int
    line: int
    values: dict[str, object]
    is_text: bool

    @property
    def name(self) -> str:
        """The row in messages."""
        return f"row {self.number} (line {self.line})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The rows of a file, at least one. `columns` are in the order of the header; `is_csv` if all values are texts."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    is_csv: bool


def read_table(file: Path, *, encoding: str | None = None) -> Table:
    """Return the rows of a file; `-` is standard input. A file whose first character is `{` is JSON Lines.

    Without `encoding`, a byte order mark decides, else UTF-8. Raises `typer.BadParameter`.
    """
    try:
        content = sys.stdin.buffer.read() if file == STDIN else file.read_bytes()
    except OSError as error:
        raise _unusable(f"{file} can't be read: {error.strerror or error}.") from error
    text = _decode(content, encoding)
    table = _json_lines(text) if text.lstrip().startswith("{") else _csv(text)
    if not table.rows:
        raise _unusable("It has no rows below the header." if table.is_csv else "It has no rows.")
    return table


def _decode(content: bytes, encoding: str | None) -> str:
    name = encoding or next((name for bom, name in BOMS.items() if content.startswith(bom)), "utf-8")
    try:
        text = content.decode(name).removeprefix("\ufeff")  # which remains if the encoding is given
    except LookupError:
        raise typer.BadParameter(f"There is no encoding {name}.", param_hint="--encoding") from None
    except UnicodeError as error:
        start = error.start if isinstance(error, UnicodeDecodeError) else 0
        line = content.count(b"\n", 0, start) + 1
        raise _unusable(
            f"Line {line} is not {name.upper()}: save the file as UTF-8, or give its encoding: --encoding cp1252."
        ) from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise _unusable(
            f"Line {line} contains a NUL character: save the file as UTF-8, or give its encoding: --encoding utf-16-le."
        )
    return text


def _csv(text: str) -> Table:
    csv.field_size_limit(MAX_CELL)
    records = _records(text)
    _, header = next(records, (1, []))
    columns = tuple(name.strip() for name in header)
    if not any(columns):
        raise _unusable("Its first line must be a header with the names of the columns.")
    if twice := [name for name, count in Counter(columns).items() if name and count > 1]:
        raise _unusable(f"Two columns have the name “{twice[0]}”: rename one in the header.")
    rows: list[Row] = []
    for line, cells in records:
        if not any(cell.strip() for cell in cells):
            continue
        number = len(rows) + 1
        if len(cells) != len(columns):
            raise _unusable(
                f"Row {number} (line {line}) has {len(cells)} cells, and the header has {len(columns)}: put quotes "
                "around a cell that contains the separator or a line break."
            )
        values: dict[str, object] = {name: cell for name, cell in zip(columns, cells, strict=True) if name}
        rows.append(Row(number=number, line=line, values=values, is_text=True))
    return Table(columns=tuple(filter(None, columns)), rows=tuple(rows), is_csv=True)


def _records(text: str) -> Iterator[tuple[int, Sequence[str]]]:
    """Yield the first line and the cells of each record. Raises `typer.BadParameter` for wrong quoting."""
    delimiter = max(DELIMITERS, key=lambda each: _fit(text, each))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise _unusable(
                f"The row that starts in line {line} can't be read ({error}): a quote inside a quoted cell is written "
                "twice, and the cell ends with one."
            ) from error
        if cells is None:
            return
        yield line, cells


def _fit(text: str, delimiter: str) -> tuple[bool, bool, int]:
    """Return whether the delimiter divides the header, whether the rows have as many cells, and how many."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header, *rows = (len(record) for record in islice(filter(None, reader), 1 + SAMPLE_ROWS))
    except (csv.Error, ValueError):
        return False, False, 0
    return header > 1, all(cells == header for cells in rows), header


def _json_lines(text: str) -> Table:
    columns: dict[str, None] = {}
    rows: list[Row] = []
    for line, content in enumerate(text.split("\n"), start=1):
        if not content.strip():
            continue
        number = len(rows) + 1
        try:
            values = json.loads(content, object_pairs_hook=unique_keys, **NUMBERS)
        except (ValueError, RecursionError) as error:
            reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error).rstrip(".")
            raise _unusable(f"Row {number} (line {line}) is not valid JSON: {reason}.") from error
        if not isinstance(values, dict):
            raise _unusable(f"Row {number} (line {line}) must be a JSON object: {{…}}.")
        columns.update(dict.fromkeys(values))
        rows.append(Row(number=number, line=line, values=values, is_text=False))
    return Table(columns=tuple(columns), rows=tuple(rows), is_csv=False)


def _unusable(message: str) -> typer.BadParameter:
    return typer.BadParameter(message, param_hint="FILE")
