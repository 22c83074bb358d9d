"""Readable names of the files of a batch, from a template with the row's columns."""

import re
import unicodedata
from collections.abc import Sequence

import typer

from commands.client.row_inputs import ColumnMap, RowInput

PLACE = re.compile(r"\{([^{}]*)\}")
ROW = "row"  # the place of the row's number
NOT_IN_NAMES = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]+')  # for other systems too, where the files may be copied
MAX_STEM_BYTES = 150  # file systems allow 255, with the extension and the suffix of unfinished files


def default_template(columns: Sequence[ColumnMap]) -> str:
    """Return the template of the row and the first column, if there is one that a template can contain."""
    first = columns[0].column if columns else ""
    return f"{{{ROW}}}-{{{first}}}" if first and not set("{}") & set(first) else f"{{{ROW}}}"


def check_template(template: str, columns: Sequence[str]) -> None:
    """Raise `typer.BadParameter` if the template names a column that does not exist."""
    for name in PLACE.findall(template):
        if name not in (ROW, *columns):
            message = f"There is no column “{name}”. Use {{{ROW}}} and the columns: {', '.join(columns)}."
            raise typer.BadParameter(message, param_hint="--name")


def stems_of(template: str, inputs: Sequence[RowInput]) -> Sequence[str]:
    """Return the name of each row's file, without an extension.

    Raises `typer.BadParameter` if two rows have the same, or differ in letter case only.
    """
    width = len(str(max((each.row.number for each in inputs), default=0)))
    stems: list[str] = []
    rows: dict[str, RowInput] = {}
    for each in inputs:
        values = each.row.values | {ROW: f"{each.row.number:0{width}}"}
        stem = _cleaned(PLACE.sub(lambda place: _text(values.get(place[1], "")), template))  # noqa: B023
        stem = stem or values[ROW]  # type: ignore[assignment]  # a text
        other = rows.setdefault(stem.casefold(), each)
        if other is not each:
            raise typer.BadParameter(
                f"{other.row.name} and {each.row.name} would both be saved as {stem}: add {{{ROW}}}.",
                param_hint="--name",
            )
        stems.append(stem)
    return stems


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _cleaned(name: str) -> str:
    """Return the name without characters that a file name can't have everywhere, and not hidden."""
    plain = "".join(char if unicodedata.category(char) not in {"Cc", "Cf", "Cs"} else " " for char in name)
    joined = "-".join(part for part in NOT_IN_NAMES.split(plain) if part)
    spaced = " ".join(joined.split()).strip(" .-")
    return spaced.encode()[:MAX_STEM_BYTES].decode(errors="ignore").rstrip(" .-")
