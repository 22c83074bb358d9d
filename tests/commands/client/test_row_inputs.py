"""The props of each row: types of cells, paths, defaults, keys, problems, and the names of the files."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import typer
from rendercast.client import CompositionInfo
from rendercast.client.reading import read

from commands.client.batch import batch
from commands.client.file_names import check_template, default_template, stems_of
from commands.client.props import read_assignments
from commands.client.row_inputs import (
    ColumnMap,
    InvalidRowsError,
    RowInput,
    RowProblem,
    batch_id_of,
    keys_of,
    read_maps,
    row_inputs,
)
from commands.client.rows import read_table

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "title": {"type": "string"},
        "theme": {"enum": ["dark", "light"]},
        "color": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "size": {"type": "number"},
        "count": {"type": ["integer", "null"]},
        "loud": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "scenes": {"type": "array", "items": {"$ref": "#/$defs/scene"}},
        "fixed": {"const": 30},
    },
    "$defs": {"scene": {"type": "object", "properties": {"seconds": {"type": "number"}, "title": {"type": "string"}}}},
}
DEFAULTS = {"scenes": [{"title": "One", "seconds": 1}], "size": 2, "title": "Hi"}


def composition(schema: object = SCHEMA, defaults: object = DEFAULTS) -> CompositionInfo:
    fixed = {"kind": "VIDEO", "width": 1, "height": 1, "fps": 30, "durationInFrames": 1, "outputs": ["H264"]}
    return read(CompositionInfo, {"id": "Promo", "defaultProps": defaults, "propsSchema": schema, **fixed})


def made(
    folder: Path,
    content: str,
    *maps: str,
    of: CompositionInfo | None = None,
    sets: Sequence[str] = (),
    props: dict[str, Any] | None = None,
) -> tuple[Sequence[RowInput], Sequence[RowProblem]]:
    file = folder / "rows.csv"
    file.write_text(content, newline="")
    table = read_table(file)
    return row_inputs(
        table,
        read_maps(maps, table),
        composition_id="Promo",
        composition=of or composition(),
        props=props or {},
        assignments=read_assignments(sets),
        output=None,
    )


def props_of(folder: Path, content: str, *maps: str, **values: Any) -> list[Any]:
    inputs, problems = made(folder, content, *maps, **values)
    assert problems == []
    return [each.content["composition"]["props"] for each in inputs]


@pytest.mark.parametrize(
    ("prop", "cell", "value"),
    [
        ("title", "007", "007"),
        ("title", " x ", " x "),
        ("title", "true", "true"),
        ("theme", "dark", "dark"),
        ("color", "red", "red"),
        ("size", "1.5", 1.5),
        ("size", " -3 ", -3),
        ("size", "1e3", 1000.0),
        ("count", "12", 12),
        ("count", "null", None),
        ("loud", "TRUE", True),
        ("loud", "no", False),
        ("loud", "1", True),
        ("fixed", "30", 30),
        ("tags", '["a","b"]', ["a", "b"]),
        ("scenes[1].seconds", "2", [{"title": "One", "seconds": 1}, {"seconds": 2}]),
        ("unknown", "5", "5"),
    ],
)
def test_a_cell_gets_the_type_of_its_prop(tmp_path: Path, prop: str, cell: str, value: object) -> None:
    quoted = '"' + cell.replace('"', '""') + '"'
    (props,) = props_of(tmp_path, f"Column\n{quoted}\n", f"{prop}=Column")
    assert list(props.values()) == [value]
    assert type(next(iter(props.values()))) is type(value)


def test_an_empty_cell_is_an_empty_text_or_leaves_the_default(tmp_path: Path) -> None:
    content = "title,theme,color,size,loud,scenes[0].title,x\n,,,,,,1\n"
    assert props_of(tmp_path, content) == [{"title": "", "scenes": [{"title": "", "seconds": 1}], "x": "1"}]


def test_without_a_schema_the_default_decides_the_type(tmp_path: Path) -> None:
    defaults = {"size": 2, "loud": True, "tags": [], "title": "x"}
    content = "size,loud,tags,title,other\n3,false,[1],4,5\n"
    assert props_of(tmp_path, content, of=composition(None, defaults)) == [
        {"size": 3, "loud": False, "tags": [1], "title": "4", "other": "5"}
    ]


def test_rows_change_what_is_common_to_all(tmp_path: Path) -> None:
    common = {"title": "Common", "brand": {"color": "red"}}
    props = props_of(tmp_path, "n\n1\n2\n", "brand.name=n", sets=["size=5"], props=common)
    assert props == [{"title": "Common", "brand": {"color": "red", "name": name}, "size": 5} for name in "12"]


def test_json_lines_keep_their_types_and_lack_columns(tmp_path: Path) -> None:
    content = '{"size": 3, "Title": "x"}\n{"a.b": null}\n'
    assert props_of(tmp_path, content) == [{"size": 3, "Title": "x"}, {"a.b": None}]
    assert props_of(tmp_path, content, "title=Title") == [{"title": "x"}, {}]


def test_cells_that_cant_be_converted_are_problems_of_their_rows(tmp_path: Path) -> None:
    inputs, problems = made(
        tmp_path, "size,loud,tags\nx,yes,[]\n1,yes,[]\n1,maybe,[]\n1,no,[1\n1e999,,\n" + "9" * 5000 + ",,\n"
    )
    assert [each.row.number for each in inputs] == [2]
    assert [f"{each.row.name}: {each.message}" for each in problems] == [
        "row 1 (line 2): “x” in the column “size” is not a number, such as 3 or 1.5.",
        "row 3 (line 4): “maybe” in the column “loud” is neither true nor false.",
        "row 4 (line 5): “[1” in the column “tags” is not valid JSON.",
        "row 5 (line 6): “1e999” in the column “size” is not a number, such as 3 or 1.5.",
        f"row 6 (line 7): “{'9' * 60}…” in the column “size” is not a number, such as 3 or 1.5.",
    ]
    error = InvalidRowsError(list(reversed(problems)) * 10)
    assert str(error).splitlines()[:2] == [
        "5 rows are not valid. Nothing was started.",
        f"{problems[0].row.name}: " + problems[0].message,
    ]
    assert str(error).endswith("There are 30 more problems.")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("title", "it must look like title=Name"),
        ("=Name", "it must look like title=Name"),
        ("title=Nmae", "There is no column “Nmae”. The columns are Name, City."),
    ],
)
def test_a_map_names_a_prop_and_a_column(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(typer.BadParameter, match=said.replace(".", r"\.")):
        made(tmp_path, "Name,City\na,b\n", text)


def test_a_path_through_a_text_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(typer.BadParameter, match="not an object") as error:
        made(tmp_path, "Name\na\n", "title.first=Name")
    assert error.value.param_hint == "--map"


def test_the_key_of_a_row_depends_on_its_content_and_not_on_its_place(tmp_path: Path) -> None:
    inputs, _ = made(tmp_path, "title,Note\na,1\nb,2\na,3\n", "title=title")
    keys = keys_of("b", inputs)
    assert len(set(keys)) == 3
    reordered, _ = made(tmp_path, "Note,title\n9,c\n9,b\n9,a\n9,a\n", "title=title")
    assert keys_of("b", reordered)[1:] == [keys[1], keys[0], keys[2]]
    assert set(keys_of("other", inputs)).isdisjoint(keys)
    assert batch_id_of("rows", inputs) != batch_id_of("rows", reordered)
    assert batch_id_of("rows", inputs).startswith("rows-")
    assert batch_id_of("a\n\udcff b", inputs).startswith("a-- b-")  # the name of a file, which may not be UTF-8
    assert len(keys_of("\udcff", inputs)) == len(inputs)  # a batch ID that the server reports


def stems(folder: Path, content: str, template: str) -> Sequence[str]:
    inputs, _ = made(folder, content, "title=Name")
    check_template(template, list(inputs[0].row.values))
    return stems_of(template, inputs)


def test_file_names_have_the_row_and_columns_without_special_characters(tmp_path: Path) -> None:
    content = "Name,City\n" + "".join(f"{name},x\n" for name in ("Ann", '"a/b: c?"', "..", "Ünal\u202e", "x" * 500, ""))
    names = stems(tmp_path, content.replace(",x\n", ",x\n"), "{row}-{Name}")
    assert names[:4] == ["1-Ann", "2-a-b- c", "3", "4-Ünal"]
    assert len(names[4].encode()) == 150
    assert names[5] == "6"
    assert stems(tmp_path, "Name\n" + "x\n" * 10, "{row}")[0] == "01"
    assert stems(tmp_path, "Name,City\n.,Rome\n", "{Name}") == ["1"]


def test_the_default_name_has_the_first_column_if_a_template_can_contain_it(tmp_path: Path) -> None:
    columns = [ColumnMap(column=name, path=(name,), text=name) for name in ("Name", "{City}")]
    assert default_template(columns) == "{row}-{Name}"
    assert default_template(columns[1:]) == "{row}"
    assert default_template([]) == "{row}"
    assert stems(tmp_path, "Name\nAnn\n", default_template([])) == ["1"]


def test_two_rows_with_the_same_file_name_are_rejected(tmp_path: Path) -> None:
    with pytest.raises(typer.BadParameter, match=r"row 1 \(line 2\) and row 3 \(line 4\) would both be saved as ANN"):
        stems(tmp_path, "Name\nAnn\nBob\nANN\n", "{Name}")
    with pytest.raises(typer.BadParameter, match="There is no column “Nmae”"):
        stems(tmp_path, "Name\nAnn\n", "{Nmae}")


def test_the_digest_of_a_row_does_not_depend_on_the_order_of_keys(tmp_path: Path) -> None:
    one, two = made(tmp_path, '{"a": {"b": 1, "c": 2}}\n{"a": {"c": 2, "b": 1}}\n')[0]
    assert one.digest == two.digest
    assert json.dumps(one.content) != json.dumps(two.content)


def test_a_folder_that_cant_be_created_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("text\nAnn\n")
    for folder in (tmp_path / "rows.csv", tmp_path / "rows.csv" / "out"):
        with pytest.raises(typer.BadParameter, match=r"rows\.csv.* can't be created"):
            batch(tmp_path / "rows.csv", folder)
