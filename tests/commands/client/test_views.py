"""Texts on the terminal."""

import re
from dataclasses import replace

import pytest
from rendercast.client import AnimationProps
from rich.cells import cell_len

from commands.client.errors import CommandError
from commands.client.render_table import RenderTable
from commands.client.views import describe_output, has_frames, open_bar, printable, size
from tests.support.client_renders import render_of


def animation(text: str) -> AnimationProps:
    return AnimationProps(
        text=text,
        style="FADE_IN",
        font_family="Inter",
        font_size=96,
        font_weight=400,
        italic=False,
        color="white",
        background_color=None,
        duration_in_frames=90,
        fps=30,
    )


def unstyle(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("VIDEO", "90 frames, 1.5 kB"),
        ("GIF", "90 frames, 1.5 kB"),
        ("AUDIO", "1.5 kB"),
        ("STILL", "640x360 pixels, 1.5 kB"),
    ],
)
def test_an_output_is_described_by_what_it_contains(kind: str, text: str) -> None:
    assert describe_output(render_of(kind)) == text
    assert has_frames(render_of(kind)) == ("frames" in text)


def test_a_still_of_unknown_size_has_only_its_bytes() -> None:
    assert describe_output(render_of("STILL", width=None)) == "1.5 kB"


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (12_345_678, "12.3 MB"), (10**16, "10000.0 TB")],
)
def test_sizes_have_decimal_units(size_bytes: int, text: str) -> None:
    assert size(size_bytes) == text


def test_control_characters_are_replaced() -> None:
    assert printable("a\x1b]0;b\x07\u202ec\nd") == "a�]0;b��c\nd"


def test_a_rejected_start_leaves_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with open_bar() as bar:
        bar.show(render_of("VIDEO"))
    assert "100%" in capsys.readouterr().err
    with pytest.raises(CommandError), open_bar():
        raise CommandError("The font size is out of range.", code="INVALID_ANIMATION")
    assert capsys.readouterr().err.strip() == ""


@pytest.mark.parametrize(
    ("width", "columns"),
    [
        (40, "id status content"),
        (80, "id status progress content"),
        (88, "id status progress created content"),
        (106, "id status progress created format size content"),
        (300, "id status progress created format size content"),
        (None, "id status progress created format size content"),
    ],
)
def test_a_table_fits_the_terminal(width: int | None, columns: str) -> None:
    table = RenderTable(width)
    assert unstyle(table.header()).split() == columns.split()
    row = table.row(replace(render_of("VIDEO"), animation_props=animation("漢字 and " * 50)))
    assert (width is None) == (row == unstyle(row))
    assert cell_len(unstyle(row)) <= max(width or 0, 60) or width is None
    assert row.endswith("…")
