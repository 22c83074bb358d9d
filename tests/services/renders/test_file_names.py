import re

import pytest

from services.media import FORMATS, OutputFormat, OutputOptions
from services.renders.file_names import file_name
from tests.conftest import MakeRender

ID = "01m817gzatj1v633w9kvyqtevh"


@pytest.mark.parametrize("name", OutputFormat)
def test_a_name_has_the_extension_of_the_format(make_render: MakeRender, name: OutputFormat) -> None:
    render = make_render(id=ID, composition_id="My-Promo2", output_options=OutputOptions(format=name))
    assert file_name(render) == f"My-Promo2-{ID}.{FORMATS[name].extension}"


@pytest.mark.parametrize(
    ("composition_id", "expected"),
    [
        ("Promo", "Promo"),
        ("宣传片", "render"),
        ("宣传-Promo", "Promo"),
        ("a/../b", "a----b"),
        ('a"b\r\nc', "a-b--c"),
        ("", "render"),
        ("x" * 500, "x" * 60),
        ("x" * 59 + "--y", "x" * 59),
    ],
)
def test_a_name_contains_nothing_that_a_header_or_a_file_system_interprets(
    make_render: MakeRender, composition_id: str, expected: str
) -> None:
    found = file_name(make_render(id=ID, composition_id=composition_id))
    assert found == f"{expected}-{ID}.mp4"
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]*\.[a-z0-9]+", found)
