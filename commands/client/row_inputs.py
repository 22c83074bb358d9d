"""The input of `startRenders` for each row of a table: the composition's props, from the columns."""

import copy
import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from commands.client.cell_values import PropType, WrongCellError, type_at
from commands.client.errors import CommandError
from commands.client.props import Assignment, Json, assign, changed_in_part, read_path
from commands.client.rows import Row, Table

if TYPE_CHECKING:
    from rendercast.client import CompositionInfo

MAX_SHOWN = 20  # rows, in a message
MAX_CELL_SHOWN = 60  # characters
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnMap:
    """A column and the path to the prop that it sets. `text` is the path as it was given."""

    column: str
    path: Path
    text: str

    @property
    def pointer(self) -> str:
        """The path as the end of a JSON Pointer (RFC 6901)."""
        return "/".join(str(step).replace("~", "~0").replace("/", "~1") for step in self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowInput:
    """A row and its `StartRenderInput`, with the idempotency key once the batch is known."""

    row: Row
    content: Json

    @property
    def digest(self) -> str:
        """A hash of the input."""
        return hashlib.sha256(json.dumps(self.content, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class RowProblem:
    """A problem of a row, as a sentence."""

    row: Row
    message: str


class InvalidRowsError(CommandError):
    """Some rows are not valid; none was started."""

    def __init__(self, problems: Sequence[RowProblem]) -> None:
        problems = sorted(problems, key=lambda problem: problem.row.number)
        rows = {problem.row.number for problem in problems}
        lines = [f"{problem.row.name}: {problem.message}" for problem in problems[:MAX_SHOWN]]
        if len(problems) > MAX_SHOWN:
            lines.append(f"There are {len(problems) - MAX_SHOWN} more problems.")
        count = "1 row is" if len(rows) == 1 else f"{len(rows)} rows are"
        super().__init__(
            "\n".join([f"{count} not valid. Nothing was started.", *lines]),
            code="INVALID_ROWS",
            problems=[
                {"row": problem.row.number, "line": problem.row.line, "message": problem.message}
                for problem in problems
            ],
        )


def read_maps(texts: Sequence[str], table: Table) -> Sequence[ColumnMap]:
    """Return what each `--map PROP=COLUMN` says; without any, each column sets the prop with its name.

    Raises `typer.BadParameter`.
    """
    if texts:
        return [_read_map(text, table) for text in texts]
    if not table.is_csv:
        return [ColumnMap(column=name, path=(name,), text=name) for name in table.columns]
    return [ColumnMap(column=name, path=_path_of(name), text=name) for name in table.columns]


def row_inputs(
    table: Table,
    maps: Sequence[ColumnMap],
    *,
    composition_id: str,
    composition: "CompositionInfo | None",
    props: Json,
    assignments: Sequence[Assignment],
    output: Json | None,
) -> tuple[Sequence[RowInput], Sequence[RowProblem]]:
    """Return the input of each row: `props`, changed by `assignments` and then by the row's columns.

    Rows with cells that can't be values of their props have a problem instead. The default of a prop that is only
    changed in part is that of the composition. Raises `typer.BadParameter` if a path leads through a value that is
    neither an object nor a list.
    """
    defaults = {} if composition is None else composition.default_props
    schema = None if composition is None else composition.props_schema
    types = {each.path: type_at(each.path, schema=schema, defaults=defaults) for each in maps}
    columns = [Assignment(text=each.text, path=each.path, value=None, option="--map") for each in maps]
    missing = changed_in_part(props, [*assignments, *columns])
    base = dict(props) | {key: value for key, value in defaults.items() if key in missing}
    base = copy.deepcopy(base)
    assign(base, assignments)
    made, problems = [], []
    for row in table.rows:
        values = copy.deepcopy(base)
        try:
            assign(values, [each for column in maps if (each := _assignment(column, row, types[column.path]))])
        except WrongCellError as error:
            problems.append(RowProblem(row=row, message=str(error)))
            continue
        content: Json = {"composition": {"id": composition_id, "props": values}}
        made.append(RowInput(row=row, content=content if output is None else content | {"output": output}))
    return made, problems


def batch_id_of(name: str, inputs: Sequence[RowInput]) -> str:
    """Return an id of the batch that is the same for the same rows: a readable name, and a hash of all inputs."""
    digest = hashlib.sha256("".join(each.digest for each in inputs).encode()).hexdigest()
    readable = "".join(char if char.isprintable() else "-" for char in name[:100])
    return f"{readable}-{digest[:12]}"


def keys_of(batch_id: str, inputs: Sequence[RowInput]) -> Sequence[str]:
    """Return an idempotency key for each row: it depends on the batch, the input, and how often that occurred before.

    So a row has the same key in each run, also if other rows were added or removed.
    """
    occurred: Counter[str] = Counter()
    keys = []
    for each in inputs:
        digest = each.digest
        text = f"{batch_id}\n{digest}\n{occurred[digest]}"
        keys.append(hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest())
        occurred[digest] += 1
    return keys


def _read_map(text: str, table: Table) -> ColumnMap:
    path, rest = read_path(text)
    if not path or not rest.startswith("="):
        raise typer.BadParameter(
            f"{text}: it must look like title=Name, with the prop before the column.", param_hint="--map"
        )
    column = rest[1:].strip()
    if column not in table.columns:
        raise typer.BadParameter(
            f"There is no column “{column}”. The columns are {', '.join(table.columns)}.", param_hint="--map"
        )
    return ColumnMap(column=column, path=path, text=text[: -len(rest)])


def _path_of(column: str) -> Path:
    path, rest = read_path(column)
    return path if path and not rest else (column,)


def _assignment(column: ColumnMap, row: Row, type_: PropType) -> Assignment | None:
    """Return what the row's cell assigns; None if the prop keeps its default. Raises `WrongCellError`."""
    if column.column not in row.values:
        return None
    value = row.values[column.column]
    if isinstance(value, str) and row.is_text:
        if not value.strip():
            return (
                Assignment(text=column.text, path=column.path, value="", option="--map") if type_.is_any_text else None
            )
        value = _read_cell(value, column, type_)
    return Assignment(text=column.text, path=column.path, value=value, option="--map")


def _read_cell(cell: str, column: ColumnMap, type_: PropType) -> object:
    try:
        return type_.read(cell)
    except WrongCellError as error:
        shown = cell if len(cell) <= MAX_CELL_SHOWN else f"{cell[:MAX_CELL_SHOWN]}…"
        raise WrongCellError(f"“{shown}” in the column “{column.column}” {error}.") from None
