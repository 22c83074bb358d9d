import os
from itertools import accumulate

import pytest
import regex
from icu4py.breakers import LineBreaker

from services.backends.text.characters import clean
from services.backends.text.fitting import Box, Fitted, Line, fit
from services.backends.text.fonts import FontStack
from services.backends.text.paragraphs import Paragraph, paragraphs_of
from tests.support.sentences import SENTENCES

WIDTH, HEIGHT = 1088.0, 612.0  # of a frame of 1280 by 720 pixels within its margins
MIN_SIZE, LEGIBLE_SIZE = 16.0, 60.0
SIZES = range(12, 512, 5)  # a hundred
SIZES_TRIED = int(os.environ.get("SENTENCE_SIZES", "2"))  # for each sentence; other ones for the next sentence

# Classes of UAX #14 that end with whatever precedes them, and vowels of Thai and Lao that follow their consonant.
CANT_BEGIN = regex.compile(
    r"[\p{lb=BA}\p{lb=CJ}\p{lb=CL}\p{lb=CP}\p{lb=EX}\p{lb=GL}\p{lb=HY}\p{lb=IN}\p{lb=IS}\p{lb=NS}\p{lb=SY}\p{lb=WJ}"
    r"\p{lb=ZWJ}\p{M}ะาำๅๆฯະາຳຽໆຯៗ]"
)
CANT_END = regex.compile(r"[\p{lb=OP}\p{lb=GL}\p{lb=WJ}\p{Logical_Order_Exception}]")


def measured(text: str, size: float) -> list[Paragraph]:
    return paragraphs_of(clean(text), FontStack("inter", size=size, text=text))


def fitted(paragraphs: list[Paragraph], size: float, *, width: float = WIDTH) -> Fitted:
    min_size = min(size, MIN_SIZE)
    return fit(paragraphs, Box(width=width, height=HEIGHT, size=size, legible_size=LEGIBLE_SIZE, min_size=min_size))


def text_of(line: Line) -> str:
    first, last = line.paragraph.graphemes[line.start], line.paragraph.graphemes[line.end - 1]
    return line.paragraph.text[first.start : last.end] + ("‐" if line.has_hyphen else "")


def lines(text: str, size: float) -> list[str]:
    return [text_of(line) for line in fitted(measured(text, size), size).lines]


def test_thai_breaks_between_words() -> None:
    assert lines("การประชุมวิชาการนานาชาติด้านวิศวกรรมศาสตร์", 120) == ["การประชุมวิชาการ", "นานาชาติด้าน", "วิศวกรรมศาสตร์"]


@pytest.mark.parametrize("size", [100, 150, 180, 500])
def test_a_long_word_stays_whole_while_it_is_legible(size: float) -> None:
    result = fitted(measured("Supercalifragilísticoespialidoso", size), size)
    assert len(result.lines) == 1
    assert LEGIBLE_SIZE < result.size < size


def test_a_word_that_would_be_too_small_breaks_between_syllables_with_hyphens() -> None:
    assert lines("No es anticonstitucionalísimamentesupercalifragilístico", 96) == [
        "No es",
        "anticonstitucionalísima‐",
        "mentesupercalifragilístico",
    ]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("достопримечательность" * 3, "достопримечатель‐"),
        ("W" * 60, "WWWWWWWWWWWW‐"),
        ("4" * 90, "4" * 18),
        ("漢" * 60, "漢" * 12),
        ("ع" * 90, "ع" * 18),
        ("https://example.com/a/very/long/path", "https://example.com/"),
    ],
)
def test_only_words_of_scripts_with_hyphens_get_one(text: str, first: str) -> None:
    assert lines(text, 96)[0] == first


def test_a_soft_hyphen_is_drawn_at_the_end_of_a_line_only() -> None:
    assert lines("soft\u00adhyphen su\u00adper\u00adcali\u00adfragi\u00adlistic", 200) == [
        "soft\u00adhyphen",
        "su\u00adper\u00adcali\u00ad‐",
        "fragi\u00adlistic",
    ]


def test_a_line_begins_with_punctuation_only_if_nothing_else_fits() -> None:
    whole = fitted(measured("权利」。权利」。", 500), 500)
    assert [text_of(line) for line in whole.lines] == ["权利」。", "权利」。"]
    assert len(fitted(measured("」" * 400, 100), 100).lines) > 1


@pytest.mark.parametrize("language", SENTENCES)
def test_no_line_begins_or_ends_wrongly(language: str) -> None:
    for number, sentence in enumerate(SENTENCES[language]):
        icu = {*accumulate(map(len, LineBreaker(sentence, "en"))), len(sentence)}
        paragraphs = measured(sentence, 72)
        for size in list(SIZES)[number :: -(-len(SIZES) // SIZES_TRIED)]:
            for line in fitted(paragraphs, size).lines:
                assert not CANT_BEGIN.match(text_of(line))
                assert not CANT_END.search(text_of(line)[-1])
                assert line.has_hyphen or _next_start(line) in icu


def _next_start(line: Line) -> int:
    """Return the index of the first character of the next line: trailing spaces belong to this one."""
    graphemes = line.paragraph.graphemes
    end = line.end
    while end < len(graphemes) and graphemes[end].is_space:
        end += 1
    return graphemes[end].start if end < len(graphemes) else len(line.paragraph.text)
