from itertools import pairwise

import pytest

from services.backends.text.characters import graphemes
from services.backends.text.linebreaks import Break, break_between


def opportunities(text: str) -> str:
    """Return the text with a bar at each line break opportunity."""
    parts = graphemes(text)
    result = parts[0]
    for before, after in pairwise(parts):
        result += ("|" if break_between(before, after) is Break.ALLOWED else "") + after
    return result


@pytest.mark.parametrize(
    "expected",
    [
        "two |words",
        "two  |spaces",
        "no\u00a0break",
        "well-|known",
        "COVID-19",
        "1/2",
        "and/|or",
        "Bonjour !",  # French spaces before punctuation
        "use |.NET",
        "(a) |[b]",
        "“quoted” |text",
        "日|本|語",
        "日|本。|語",
        "「日」|本",
        "キャッ|ト",
        "100%|引",
        "$5",
        "한국어 |단어",
        "😀|😀",
        "👨‍👩‍👧‍👦|🇫🇷",
        "ภาษา|ไทย",
        "မြန်|မာ",
        "zero\u200b|width",
        "soft\u00adhyphen",
    ],
)
def test_lines_break_where_readers_expect(expected: str) -> None:
    assert opportunities(expected.replace("|", "")) == expected
