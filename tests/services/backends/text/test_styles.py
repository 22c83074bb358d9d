from itertools import pairwise

import pytest

from services.backends.text.styles import AT_REST, Pose, Timeline, moves
from services.models import AnimationStyle

DURATIONS = [1, 2, 3, 10, 29, 90, 600]


def poses(style: AnimationStyle, frames: int, *, graphemes: int = 40) -> list[Pose]:
    timeline = Timeline(frames=frames, fps=30, height=720, graphemes=graphemes)
    return [timeline.pose(style, frame) for frame in range(frames)]


@pytest.mark.parametrize("style", AnimationStyle)
@pytest.mark.parametrize("frames", DURATIONS)
@pytest.mark.parametrize("graphemes", [0, 1, 40, 500])
def test_the_last_frame_is_at_rest(style: AnimationStyle, frames: int, graphemes: int) -> None:
    assert poses(style, frames, graphemes=graphemes)[-1] == AT_REST


@pytest.mark.parametrize("style", AnimationStyle)
@pytest.mark.parametrize("frames", [90, 600])
def test_the_text_is_hidden_at_first_and_at_rest_for_the_last_fifth(style: AnimationStyle, frames: int) -> None:
    shown = poses(style, frames)
    assert shown[0].opacity == 0 or shown[0].shown == 0
    assert set(shown[frames * 4 // 5 :]) == {AT_REST}


@pytest.mark.parametrize("style", AnimationStyle)
def test_text_moves_if_a_pose_has_another_position_or_size(style: AnimationStyle) -> None:
    assert moves(style) == any((pose.scale, pose.drop) != (1, 0) for pose in poses(style, 90))


def test_fade_in_takes_a_second_and_only_fades() -> None:
    shown = poses(AnimationStyle.FADE_IN, 90)
    assert [pose.opacity for pose in shown[:4]] == pytest.approx([0, 1 / 30, 2 / 30, 3 / 30])
    assert shown[29].opacity < 1
    assert shown[30] == AT_REST
    assert {(pose.scale, pose.drop, pose.shown) for pose in shown} == {(1, 0, None)}


@pytest.mark.parametrize("graphemes", [1, 7, 40, 500])
def test_typewriter_shows_more_and_more_at_full_opacity(graphemes: int) -> None:
    shown = poses(AnimationStyle.TYPEWRITER, 90, graphemes=graphemes)
    counts = [graphemes if pose.shown is None else pose.shown for pose in shown]
    assert counts[0] == 0
    assert all(before <= after for before, after in pairwise(counts))
    assert counts[-1] == graphemes
    assert {pose.opacity for pose in shown} == {1}


def test_a_short_text_is_typed_at_a_natural_pace_in_a_long_animation() -> None:
    shown = poses(AnimationStyle.TYPEWRITER, 600, graphemes=12)
    assert shown.index(AT_REST) == 30


def test_slide_up_rises_ever_more_slowly_to_its_place() -> None:
    shown = poses(AnimationStyle.SLIDE_UP, 90)
    steps = [before.drop - after.drop for before, after in pairwise(shown[:31])]
    assert shown[0].drop == pytest.approx(0.14 * 720)
    assert all(before > after > 0 for before, after in pairwise(steps))


def test_scale_springs_a_little_past_full_size_without_a_jump_at_its_end() -> None:
    scales = [pose.scale for pose in poses(AnimationStyle.SCALE, 90)]
    assert scales[0] == pytest.approx(0.3)
    assert 1.01 < max(scales) < 1.06
    assert abs(scales[29] - scales[30]) < 0.002
