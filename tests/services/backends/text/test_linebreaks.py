from itertools import accumulate

import pytest
from icu4py.breakers import LineBreaker

from services.backends.text.linebreaks import Break, line_breaks
from tests.support.sentences import NEVER_FIRST, SENTENCES


def opportunities(text: str, worst: Break = Break.ALLOWED) -> str:
    """Return the text with a bar wherever a line may end."""
    return "".join(
        f"|{character}" if kind >= worst else character for character, kind in zip(text, line_breaks(text), strict=True)
    )


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
        "(a) |[b]",
        "“quoted” |text",
        "日本。|語",
        "「日」|本",
        "キャット",
        "日本語の|テキストを|書きました。",
        "我们|都是|中国人，|来自|北京|大学",
        "100%|引",
        "$5",
        "한국어 |단어",
        "😀|😀",
        "👨‍👩‍👧‍👦|🇫🇷",
        "การ|ประชุม|วิชาการ|นานาชาติ|ด้าน|วิศวกรรมศาสตร์",
        "မြန်မာနိုင်ငံ|သည် |အရှေ့တောင်|အာ|ရှ",
        "ខ្ញុំ|ចង់ទៅ|ផ្សារ",
        "ພາສາ|ລາວ|ແມ່ນ",
        "ใด ๆ",
        "है । |और",
        "漢.ット",
        "𝓗𝓮𝓵𝓵𝓸 |wörld",
        "zero\u200b|width",
        "soft\u00ad|hyphen",
    ],
)
def test_lines_break_where_readers_expect(expected: str) -> None:
    assert opportunities(expected.replace("|", "")) == expected


@pytest.mark.parametrize(
    "expected",
    [
        "w|o|r|d",
        "d|o|n’|t",
        "(a)|b",
        "W|o|w!!!",
        "3.|1|4%",
        "g\u00a0o",
        "キャッ|ト",
        "权|利」。",
        "ก|ร|ร|ม|กา|ร",
        "เก|ละ",
        "ไปๆ",
        "ໄປໆ",
        "မြန်|မာ",
        "ប្រ|ព្រឹ|ត្ដិ",
    ],
)
def test_a_word_breaks_only_where_a_line_can_begin_and_end(expected: str) -> None:
    assert opportunities(expected.replace("|", ""), Break.WITHIN_WORD) == expected


@pytest.mark.parametrize("language", SENTENCES)
def test_lines_break_where_icu_breaks_them(language: str) -> None:
    has_phrases = language in {"ja", "ko", "zh-Hans", "zh-Hant"}
    for sentence in SENTENCES[language]:
        ours = {index for index, kind in enumerate(line_breaks(sentence)) if kind is Break.ALLOWED}
        icu = set(accumulate(map(len, LineBreaker(sentence, language)))) - {len(sentence)}
        icu -= {index for index in icu if sentence[index] in NEVER_FIRST}
        assert ours < icu if has_phrases else ours == icu
