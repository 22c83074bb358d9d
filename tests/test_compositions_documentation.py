"""The guide to compositions names the formats, their options and the GraphQL fields that exist."""

import re
from collections.abc import Iterator

from graphql import parse, validate

from resolvers.schema import build_schema
from services.backends.text.formats import TEXT_FORMATS
from services.media import FORMATS, OutputFormat, OutputKind, formats_of
from services.settings import CHECKOUT, FIELDS, variable

PAGE = (CHECKOUT / "docs" / "compositions.md").read_text(encoding="utf-8")
MAX_LINES = 190
ROW = re.compile(r"^\| (?P<names>`[A-Z0-9]+`.*?) \| (?P<files>[a-z0-9, ]+) \| (?P<options>.*?) ?\|$", re.MULTILINE)
SPAN = re.compile(r"`(\w+)`")
SAME = "the same"  # options as in the row before


def documented() -> Iterator[tuple[OutputFormat, str, set[str]]]:
    """Yield each format with its extension and the GraphQL names of its options."""
    options: set[str] = set()
    for row in ROW.finditer(PAGE):
        given = set(SPAN.findall(row["options"]))
        options = given | options if row["options"].startswith(SAME) else given
        names, files = SPAN.findall(row["names"]), row["files"].split(", ")
        for name, file in zip(names, files * (len(names) // len(files)), strict=True):
            yield OutputFormat[name], file, options


def graphql_name(option: str) -> str:
    """Return the GraphQL name of a field of `OutputOptions`."""
    first, *others = option.replace("prores", "pro_res").split("_")
    return first + "".join(word.capitalize() for word in others)


def test_the_table_lists_every_format_with_its_extension_and_options() -> None:
    rows = list(documented())
    assert len(rows) == len(FORMATS)
    assert {name: (file, options) for name, file, options in rows} == {
        name: (row.extension, {graphql_name(option) for option in row.options}) for name, row in FORMATS.items()
    }


def test_the_text_renderer_makes_all_but_the_formats_named() -> None:
    assert "The text renderer makes all but audio and PDF." in PAGE
    assert set(OutputFormat) - TEXT_FORMATS == formats_of(OutputKind.AUDIO) | {OutputFormat.PDF}


def test_the_mutation_is_valid() -> None:
    (document,) = re.findall(r"```graphql\n(.*?)```", PAGE, re.DOTALL)
    assert validate(build_schema().core_schema, parse(document)) == []


def test_the_named_settings_exist() -> None:
    names = {variable(name) for name in FIELDS} | {"RENDERCAST_URL", "RENDERCAST_TOKEN"}
    assert set(re.findall(r"`((?:RENDERCAST|REMOTION)_[A-Z_]+)`", PAGE)) <= names


def test_the_guide_is_short() -> None:
    assert len(PAGE.splitlines()) <= MAX_LINES
