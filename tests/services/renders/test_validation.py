import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.models import AnimationProps, replace
from services.renders.validation import animation_problems, key_problems
from tests.conftest import PROPS
from tests.support.limits import ANIMATION_LIMITS

ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=[]))


def problems(props: AnimationProps = PROPS, **keys: str | None) -> dict[str, str]:
    given_keys: dict[str, str | None] = {"generation_id": None, "idempotency_key": None, **keys}
    in_keys = key_problems(generation_id=given_keys["generation_id"], idempotency_key=given_keys["idempotency_key"])
    return {problem.field: problem.message for problem in [*animation_problems(props, ANIMATION_LIMITS), *in_keys]}


def test_a_valid_animation_has_no_problems() -> None:
    assert problems() == {}
    assert problems(replace(PROPS, text="नमस्ते 👩‍👩‍👧\nمرحبا\t日本", background_color="rgb(0 0 0 / 50%)")) == {}
    assert problems(replace(PROPS, duration_in_frames=600, text="x" * 500)) == {}
    assert problems(replace(PROPS, text="two\r\nlines")) == {}


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
