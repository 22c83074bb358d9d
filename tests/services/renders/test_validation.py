import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.models import AnimationProps, replace
from services.renders.validation import GIF_MIN_ALPHA, UNKNOWN, Canvas, animation_problems, key_problems
from tests.conftest import PROPS
from tests.support.limits import ANIMATION_LIMITS

ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=[]))


def problems(props: AnimationProps = PROPS, canvas: Canvas = UNKNOWN, **keys: str | None) -> dict[str, str]:
    given_keys: dict[str, str | None] = {"generation_id": None, "idempotency_key": None, **keys}
    in_keys = key_problems(generation_id=given_keys["generation_id"], idempotency_key=given_keys["idempotency_key"])
    return {
        problem.field: problem.message for problem in [*animation_problems(props, ANIMATION_LIMITS, canvas), *in_keys]
    }


def test_a_valid_animation_has_no_problems() -> None:
    assert problems() == {}
    assert problems(replace(PROPS, text="नमस्ते 👩‍👩‍👧\nمرحبا\t日本", background_color="rgb(0 0 0 / 50%)")) == {}
    assert problems(replace(PROPS, duration_in_frames=600, text="x" * 500)) == {}
    assert problems(replace(PROPS, text="two\r\nlines")) == {}
    assert problems(replace(PROPS, text="\uf015")) == {}  # an icon of a font
    assert problems(replace(PROPS, font_weight=100)) == problems(replace(PROPS, font_weight=900, italic=True)) == {}


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("text", "", "text"),
        ("text", " \n\t\u3000", "text"),
        ("text", "\u200b\u2060\ufeff", "text"),
        ("text", "\u00ad", "text"),
        ("text", "\u3164", "text"),
        ("text", "\u202e", "text"),
        ("text", "x" * 501, "text"),
        ("text", "a\0b", "text"),
        ("text", "a\ud800b", "text"),
        ("text", "a\x1bb", "text"),
        ("font_family", "", "fontFamily"),
        ("font_family", "x" * 101, "fontFamily"),
        ("font_family", "In\0ter", "fontFamily"),
        ("font_size", 0.0, "fontSize"),
        ("font_size", -1.0, "fontSize"),
        ("font_size", 1e308, "fontSize"),
        ("font_size", float("inf"), "fontSize"),
        ("font_size", float("nan"), "fontSize"),
        ("font_weight", 99, "fontWeight"),
        ("font_weight", 901, "fontWeight"),
        ("font_weight", -(2**31), "fontWeight"),
        ("color", "", "color"),
        ("color", "blurple", "color"),
        ("color", "#12", "color"),
        ("color", "red; x", "color"),
        ("color", "#" * 10_000, "color"),
        ("color", "\ud800", "color"),
        ("background_color", "url(x)", "backgroundColor"),
        ("duration_in_frames", 0, "durationInFrames"),
        ("duration_in_frames", -5, "durationInFrames"),
        ("duration_in_frames", 601, "durationInFrames"),
        ("fps", 29, "fps"),
        ("fps", 0, "fps"),
    ],
)
def test_an_invalid_value_is_reported_with_its_field(field: str, value: object, named: str) -> None:
    assert list(problems(replace(PROPS, **{field: value}))) == [named]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("color", "background", "canvas", "is_visible"),
    [
        ("transparent", "#fff", Canvas(), False),
        ("rgb(255 0 0 / 0)", None, Canvas(), False),
        ("transparent", None, Canvas(keeps_alpha=True, is_clear=True), False),
        ("#fff", "white", Canvas(), False),
        ("rgb(255 255 255 / 50%)", "#fff", Canvas(keeps_alpha=True), False),
        ("rgb(128 128 128)", "rgb(255 255 255 / 50.2%)", Canvas(), False),
        ("black", None, Canvas(), False),
        ("black", None, Canvas(keeps_alpha=True), False),
        ("black", "transparent", Canvas(), False),
        ("black", "transparent", Canvas(keeps_alpha=True), True),
        ("black", None, Canvas(keeps_alpha=True, is_clear=True), True),
        ("white", "rgb(255 255 255 / 0)", Canvas(), True),
        ("#fff", "#fefefe", Canvas(), True),
        ("rgb(255 0 0 / 0.1%)", "transparent", Canvas(keeps_alpha=True), False),
        ("rgb(255 0 0 / 1%)", "transparent", Canvas(keeps_alpha=True), True),
        ("rgb(255 0 0 / 49%)", "transparent", Canvas(keeps_alpha=True, min_alpha=GIF_MIN_ALPHA), False),
        ("rgb(255 0 0 / 51%)", "transparent", Canvas(keeps_alpha=True, min_alpha=GIF_MIN_ALPHA), True),
        ("rgb(255 0 0 / 30%)", "rgb(0 0 0 / 40%)", Canvas(keeps_alpha=True, min_alpha=GIF_MIN_ALPHA), True),
    ],
)
def test_invisible_text_is_reported(color: str, background: str | None, canvas: Canvas, is_visible: bool) -> None:  # noqa: FBT001
    found = list(problems(replace(PROPS, color=color, background_color=background), canvas))
    assert found == ([] if is_visible else ["color"])


@pytest.mark.parametrize(
    ("text", "size", "height", "is_valid"),
    [
        ("a" + "\n" * 30 + "b", 72.0, 720, True),
        ("a" + "\n" * 31 + "b", 72.0, 720, False),
        ("a" + "\r\n \r\n" * 16 + "b", 72.0, 720, False),
        ("a" + "\n" * 31 + "b", 8.0, 720, True),
        ("a" + "\n" * 31 + "b", 72.0, None, True),
        ("a\n" * 40, 72.0, 720, True),  # its end is cut, with a warning
    ],
)
def test_more_blank_lines_than_fit_are_reported(text: str, size: float, height: int | None, is_valid: bool) -> None:  # noqa: FBT001
    found = problems(replace(PROPS, text=text, font_size=size), Canvas(height=height))
    assert found == ({} if is_valid else {"text": "Remove some blank lines. At most 31 lines fit the frame."})


@pytest.mark.parametrize("key", ["", "x" * 201, "a\0", "\udfff"])
def test_invalid_keys_are_reported(key: str) -> None:
    assert list(problems(generation_id=key)) == ["generationId"]
    assert list(problems(idempotency_key=key)) == ["idempotencyKey"]


def test_the_message_for_a_long_duration_has_the_maximum() -> None:
    found = problems(replace(PROPS, duration_in_frames=601))
    assert found == {"durationInFrames": "Animation too long. Maximum duration is 20 seconds."}


def test_all_problems_are_reported_at_once() -> None:
    bad = replace(PROPS, text="", font_size=0.0, color="?", duration_in_frames=0, fps=1)
    assert set(problems(bad)) == {"text", "fontSize", "color", "durationInFrames", "fps"}


@given(text=ANY_TEXT, family=ANY_TEXT, color=ANY_TEXT, size=st.floats(), frames=st.integers(), fps=st.integers())
def test_any_input_is_either_accepted_or_reported(
    text: str, family: str, color: str, size: float, frames: int, fps: int
) -> None:
    props = replace(PROPS, text=text, font_family=family, color=color, font_size=size)
    problems(replace(props, duration_in_frames=frames, fps=fps))
