import pytest

from services.backends.remotion_lambda.props import needs_upload
from services.backends.remotion_props import input_props
from services.models import replace
from tests.conftest import PROPS


def test_props_in_their_order() -> None:
    assert input_props(PROPS) == (
        '{"text":"Hello","style":"fade-in","fontFamily":"Inter","fontSize":72,"color":"#ffffff",'
        '"durationInFrames":90,"fps":30}'
    )


def test_a_weight_and_slope_are_sent_only_if_they_differ_from_what_the_first_version_had() -> None:
    assert '"fontSize":72,"fontWeight":700,"color":' in input_props(replace(PROPS, font_weight=700))
    assert '"fontSize":72,"italic":true,"color":' in input_props(replace(PROPS, italic=True))


@pytest.mark.parametrize(
    ("text", "written"),  # by JSON.stringify of Node.js 20
    [
        ("Hello {", "Hello {"),
        ('"}', '\\"}'),
        ("\\ / </script>", "\\\\ / </script>"),
        ("\u2028\u2029", "\u2028\u2029"),
        ("\x00\x01\b\t\n\f\r\x1f\x7f\x80", "\\u0000\\u0001\\b\\t\\n\\f\\r\\u001f\x7f\x80"),
        ("é ü ß 漢字 مرحبا \ufeff\uffff", "é ü ß 漢字 مرحبا \ufeff\uffff"),
        ("😀", "😀"),
        ("\ud83d\ude00", "😀"),
        ("\ud83d", "\\ud83d"),
        ("\ude00\ud83d", "\\ude00\\ud83d"),
        ("\ud83d\ud83d\ude00", "\\ud83d😀"),
    ],
)
def test_text_as_javascript_writes_it(text: str, written: str) -> None:
    assert input_props(replace(PROPS, text=text)).startswith(f'{{"text":"{written}","style":')


@pytest.mark.parametrize(
    ("size", "written"),
    [(96.0, "96"), (96, "96"), (72.5, "72.5"), (33.333333333333336, "33.333333333333336"), (12.0000001, "12.0000001")],
)
def test_numbers_as_javascript_writes_them(size: float, written: str) -> None:
    assert f'"fontSize":{written},' in input_props(replace(PROPS, font_size=size))


@pytest.mark.parametrize(
    ("props_json", "expected"),  # the official client sent 193,974 units inline, and stored one more
    [
        ("x" * 193_974, False),
        ("x" * 193_975, True),
        ("😀" * 96_987, False),
        ("😀" * 96_988, True),
        ("é" * 193_974, False),
    ],
)
def test_large_props_are_uploaded(props_json: str, expected: bool) -> None:  # noqa: FBT001
    assert needs_upload(props_json) is expected
