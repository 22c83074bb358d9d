import json
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import uharfbuzz as hb

from services.backends.text.font_families import installed_families
from services.backends.text.fonts import FontStack
from services.backends.text.job import parse_job
from services.backends.text.layout import Layout, PlacedRun
from services.backends.text.layouts import TextLayouts
from services.backends.text.render_job import render
from services.backends.text.renderers import Renderers
from services.backends.text.web_layout import web_layout
from services.errors import BackendUnavailable
from services.models.text_layout import TextLayout
from tests.services.backends.text.rendering import job
from tests.support.text_renderer import NO_SPARE_S


def line(**changes: object) -> bytes:
    return json.dumps(job(Path("unused"), layout_only=True, **changes)).encode() + b"\n"


def laid_out(**changes: object) -> TextLayout:
    messages: list[dict[str, object]] = []
    assert render(parse_job(line(**changes)), lambda message: messages.append(dict(message))) == 0
    (message,) = messages
    return msgspec.convert(message["layout"], TextLayout)


def test_runs_have_the_characters_of_each_line_from_left_to_right() -> None:
    layout = laid_out(text="one שלום two\nlast", font_size=20.0)
    assert [(run.text, run.font, run.is_rtl, run.start, run.end) for run in layout.runs] == [
        ("one ", 0, False, 0, 4),
        ("שלום", 1, True, 4, 8),
        (" ", 0, False, 8, 9),  # in the script of the word before it
        ("two", 0, False, 9, 12),
        ("last", 0, False, 12, 16),
    ]
    left, rtl, right, _, below = layout.runs
    assert left.x < rtl.x == pytest.approx(right.x)  # where the run from right to left starts is its right edge
    assert below.baseline - left.baseline == pytest.approx(1.2 * 20)
    assert layout.graphemes == 16


def test_a_hyphen_belongs_to_the_text_of_its_run() -> None:
    layout = laid_out(text="anticonstitucionalísimamente" * 2, font_size=40.0)
    assert layout.runs[0].text.endswith("‐")
    assert len(layout.runs[0].text) == layout.runs[0].end + 1


def test_a_font_has_only_the_characters_of_its_runs() -> None:
    layout = laid_out(text="Hi 漢")
    latin, chinese = (hb.Font(hb.Face(font.data)) for font in layout.fonts)
    assert [latin.get_nominal_glyph(ord(each)) is not None for each in "HiJ"] == [True, True, False]
    assert chinese.get_nominal_glyph(ord("漢")) is not None
    assert all(len(font.data) < 5_000 for font in layout.fonts)
    assert laid_out(text="iH 漢").fonts == layout.fonts


def test_the_timing_is_that_of_the_output_and_the_size_is_before_its_scale() -> None:
    layout = laid_out(text="Hi", duration_in_frames=90, options={"fps": 60, "scale": 2, "width": 640})
    assert (layout.frames, layout.fps, layout.width, layout.height) == (180, 60, 640, 180)
    assert layout.font_size == 32


def test_warnings_are_those_of_the_render() -> None:
    assert laid_out(text="Hi", font_family="No Such Font", color="#111").warnings == (
        "The font family No Such Font is not installed; Inter was used instead.",
        "The text can hardly be seen: its contrast with the background is 1.11 to 1.",
    )


def test_a_family_whose_file_was_removed_is_missing() -> None:
    layout = laid_out(text="a \u0378", font_family="Own", font_faces=[{"family": "Own", "path": "/removed.ttf"}])
    assert layout.warnings[0] == "The font family Own is not installed; Inter was used instead."


def test_a_family_with_only_italics_is_drawn_in_them() -> None:
    own = {"family": "Own", "path": installed_families()["inter"].faces[0].path, "italic": True}
    layout = laid_out(text="a", font_family="Own", font_faces=[own])
    assert layout.warnings == ("Own has only italics; the italic font was used instead.",)


def test_fonts_that_are_too_large_for_a_response_are_not_sent() -> None:
    font = FontStack("noto sans cjk sc", size=20.0, text="").primary
    text = "".join(map(chr, range(0x4E00, 0x4E00 + 12_000)))
    run = PlacedRun(text=text, font=font, glyphs=(), x=0, baseline=0, is_rtl=False, start=0, end=len(text))
    layout = Layout(glyphs=(), size=20.0, grapheme_count=len(text), warnings=(), runs=[run])
    assert web_layout(parse_job(line()), layout, ()) is None


def test_a_font_has_the_composed_characters() -> None:
    (font,) = laid_out(text="e\u0301").fonts
    assert hb.Font(hb.Face(font.data)).get_nominal_glyph(ord("é")) is not None


@pytest.fixture
async def renderers() -> AsyncIterator[Renderers]:
    renderers = Renderers(spare_delay_s=NO_SPARE_S)
    yield renderers
    await renderers.close()


@pytest.mark.slow
async def test_a_process_lays_out_one_text_after_the_other_and_is_replaced_if_it_fails(renderers: Renderers) -> None:
    layouts = TextLayouts(renderers)
    assert await layouts.lay_out(line(text="Hi")) == laid_out(text="Hi")
    first = await renderers.take()
    renderers.give_back(first)
    with pytest.raises(BackendUnavailable):
        await layouts.lay_out(b"no job\n")
    assert first.returncode is not None
    assert await layouts.lay_out(line(text="again")) == laid_out(text="again")
