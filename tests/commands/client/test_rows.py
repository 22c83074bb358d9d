"""The rows of CSV and JSON Lines files, and the sentences about files that can't be read."""

import codecs
import io
import sys
from pathlib import Path

import pytest
import typer

from commands.client.rows import Table, read_table


def read(folder: Path, content: str | bytes, *, encoding: str | None = None) -> Table:
    file = folder / "rows.csv"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_table(file, encoding=encoding)


def rejected(folder: Path, content: str | bytes, *, encoding: str | None = None) -> str:
    with pytest.raises(typer.BadParameter) as error:
        read(folder, content, encoding=encoding)
    return error.value.message


def test_rows_have_their_number_line_and_cells(tmp_path: Path) -> None:
    table = read(tmp_path, 'Name , City,\r\nAnn,"a ""b"", c",\r\n\r\n,"",\r\n"two\r\nlines",Köln,x\r\nEva,Rom,')
    assert table.columns == ("Name", "City")
    assert [(row.number, row.line, row.values) for row in table.rows] == [
        (1, 2, {"Name": "Ann", "City": 'a "b", c'}),
        (2, 5, {"Name": "two\r\nlines", "City": "Köln"}),
        (3, 7, {"Name": "Eva", "City": "Rom"}),
    ]
    assert table.rows[1].name == "row 2 (line 5)"


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        ("Näme\nÄ\n".encode(), None),
        (codecs.BOM_UTF8 + "Näme\nÄ\n".encode(), None),
        ("Näme\nÄ\n".encode("utf-16"), None),
        (codecs.BOM_UTF16_BE + "Näme\nÄ\n".encode("utf-16-be"), None),
        ("Näme\nÄ\n".encode("cp1252"), "cp1252"),
        (codecs.BOM_UTF8 + "Näme\nÄ\n".encode(), "utf-8"),
    ],
)
def test_a_byte_order_mark_or_the_option_decides_the_encoding(
    tmp_path: Path, content: bytes, encoding: str | None
) -> None:
    assert [row.values for row in read(tmp_path, content, encoding=encoding).rows] == [{"Näme": "Ä"}]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_the_header_decides_the_separator(tmp_path: Path, separator: str) -> None:
    table = read(tmp_path, f"a{separator}b\n1{separator}2\n")
    assert table.rows[0].values == {"a": "1", "b": "2"}


@pytest.mark.parametrize(
    ("content", "columns", "first"),
    [
        ('"Name, Vorname";Stadt\r\n"Müller, Anna";Berlin\r\n', ("Name, Vorname", "Stadt"), ["Müller, Anna", "Berlin"]),
        ("Name, Vorname;Stadt\nMüller, Anna;Berlin\n", ("Name, Vorname", "Stadt"), ["Müller, Anna", "Berlin"]),
        ('"Na\nme";Stadt\nAnna;Berlin\n', ("Na\nme", "Stadt"), ["Anna", "Berlin"]),
        ('Name,"Text; with; more"\nAnna,"a; b"\n', ("Name", "Text; with; more"), ["Anna", "a; b"]),
        ("Name,Text\n\nAnna,a;b;c\n", ("Name", "Text"), ["Anna", "a;b;c"]),
    ],
)
def test_a_separator_divides_the_header_and_the_rows(
    tmp_path: Path, content: str, columns: tuple[str, ...], first: list[str]
) -> None:
    table = read(tmp_path, content)
    assert (table.columns, list(table.rows[0].values.values())) == (columns, first)


def test_a_file_whose_first_character_is_a_brace_is_json_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = '{"a": 1, "b": {"c": [true]}}\r\n\n{"d": "ü\\n"}\n'
    table = read(tmp_path, content)
    assert (table.columns, table.is_csv) == (("a", "b", "d"), False)
    assert [(row.number, row.line, row.values, row.is_text) for row in table.rows] == [
        (1, 1, {"a": 1, "b": {"c": [True]}}, False),
        (2, 3, {"d": "ü\n"}, False),
    ]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content.encode())))
    assert read_table(Path("-")) == table


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "Its first line must be a header with the names of the columns."),
        (",\n1,2\n", "Its first line must be a header with the names of the columns."),
        ("a,b\n\n,\n", "It has no rows below the header."),
        ("a,b,a\n1,2,3\n", "Two columns have the name “a”: rename one in the header."),
        ("a,b\n1,2\n1\n", "Row 2 (line 3) has 1 cells, and the header has 2"),
        ("a,b\n1,2,3\n", "Row 1 (line 2) has 3 cells, and the header has 2"),
        ('a\n1\n"x\ny\n', "The row that starts in line 3 can't be read"),
        ('a\n"x"y\n', "The row that starts in line 2 can't be read"),
        (b"a\nb\n\xe4\n", "Line 3 is not UTF-8: save the file as UTF-8, or give its encoding: --encoding cp1252."),
        ("a\nb\n".encode("utf-16-le"), "Line 1 contains a NUL character: save the file as UTF-8, or give its encoding"),
        ("a\nb\0\n", "Line 2 contains a NUL character"),
        ('{"a": 1}\n{"a"}\n', "Row 2 (line 2) is not valid JSON"),
        ('{"a": 1}\n[1]\n', "Row 2 (line 2) must be a JSON object: {…}."),
        ('{"a": 1, "a": 2}', "Row 1 (line 1) is not valid JSON: the key 'a' occurs twice in an object."),
        ('{"a": 1e999}', "Row 1 (line 1) is not valid JSON: it contains 1e999."),
    ],
)
def test_a_file_that_cant_be_read_is_rejected_with_the_row(tmp_path: Path, content: str | bytes, said: str) -> None:
    assert rejected(tmp_path, content).startswith(said)


def test_a_missing_file_and_an_unknown_encoding_are_rejected(tmp_path: Path) -> None:
    with pytest.raises(typer.BadParameter, match="can't be read: No such file"):
        read_table(tmp_path / "none.csv")
    assert rejected(tmp_path, "a\n1\n", encoding="latin-99") == "There is no encoding latin-99."
