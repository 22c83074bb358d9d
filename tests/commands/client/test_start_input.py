import pytest
import typer

from commands.client.start_input import TEXT_OPTIONS, read_animation

UNSET: dict[str, object] = dict.fromkeys(TEXT_OPTIONS)


def test_only_options_that_are_given_are_sent() -> None:
    assert read_animation("Hi", UNSET, has_props=False).props == {"text": "Hi"}
    given = UNSET | {"style": "SCALE", "backgroundColor": "", "frames": 7}
    assert read_animation("Hi", given, has_props=False).props == {
        "text": "Hi",
        "style": "SCALE",
        "backgroundColor": "",
        "durationInFrames": 7,
    }


@pytest.mark.parametrize(("seconds", "frames"), [(2.5, 75), (0.0, 0), (-1.0, -30)])
def test_a_duration_in_seconds_is_sent_in_frames(seconds: float, frames: int) -> None:
    assert read_animation("Hi", UNSET | {"seconds": seconds}, has_props=False).props == {
        "text": "Hi",
        "durationInFrames": frames,
    }


def test_a_duration_can_not_be_given_twice() -> None:
    with pytest.raises(typer.BadParameter, match="--seconds"):
        read_animation("Hi", UNSET | {"seconds": 1.0, "frames": 30}, has_props=False)
