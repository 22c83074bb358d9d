"""The animation styles: the pose of the text in each frame."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from services.models import AnimationStyle

_MAX_ENTRANCE_S: Final = 1.0  # an entrance takes a second,
_MAX_ENTRANCE_SHARE: Final = 0.6  # or less, so that short animations also come to rest
_TYPING_SHARE: Final = 0.8
_MIN_TYPING_RATE: Final = 12.0  # graphemes per second
_SLIDE: Final = 0.14  # of the frame's height
_MIN_SCALE: Final = 0.3
_FADE_SHARE: Final = 0.4  # of the entrance: moving text is opaque sooner, so that the movement is visible

# A mass on a spring, released from rest: stiffness 100, damping 14, mass 1. It overshoots by about 5 %.
_SPRING_FREQUENCY: Final = 10.0
_SPRING_DAMPING: Final = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class Pose:
    """The opacity, scale and position of the text in one frame.

    `scale` is relative to the frame's centre; `drop` is the distance in pixels below the position at rest; graphemes
    from the index `shown` on are hidden; all are shown if it is None.
    """

    opacity: float = 1.0
    scale: float = 1.0
    drop: float = 0.0
    shown: int | None = None


AT_REST: Final = Pose()
_MOVING: Final = frozenset({AnimationStyle.SLIDE_UP, AnimationStyle.SCALE})


def moves(style: AnimationStyle) -> bool:
    """Return whether the text changes its position or size."""
    return style in _MOVING


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The properties of an animation that its poses depend on; `height` is the frame's, in pixels."""

    frames: int
    fps: float
    height: int
    graphemes: int

    def pose(self, style: AnimationStyle, frame: int) -> Pose:
        """Return the pose in frame 0 to `frames - 1`; the last frame is always at rest."""
        return _POSES[style](self, frame)

    def entrance(self, frame: int) -> float:
        """Return the progress of the entrance, from 0 to 1."""
        length = min(int(self.fps * _MAX_ENTRANCE_S), int(self.frames * _MAX_ENTRANCE_SHARE))
        return 1.0 if frame >= length else frame / length


def _fade_in(timeline: Timeline, frame: int) -> Pose:
    return Pose(opacity=timeline.entrance(frame))


def _typewriter(timeline: Timeline, frame: int) -> Pose:
    at_min_rate = math.ceil(timeline.graphemes * timeline.fps / _MIN_TYPING_RATE)
    length = min(at_min_rate, int(timeline.frames * _TYPING_SHARE))
    if frame >= length:
        return AT_REST
    return Pose(shown=timeline.graphemes * frame // length)


def _slide_up(timeline: Timeline, frame: int) -> Pose:
    progress = timeline.entrance(frame)
    return Pose(opacity=min(1.0, progress / _FADE_SHARE), drop=timeline.height * _SLIDE * (1 - progress) ** 3)


def _scale(timeline: Timeline, frame: int) -> Pose:
    progress = timeline.entrance(frame)
    if progress == 1:
        return AT_REST
    scale = _MIN_SCALE + (1 - _MIN_SCALE) * _spring(progress)
    return Pose(opacity=min(1.0, progress / _FADE_SHARE), scale=scale)


def _spring(seconds: float) -> float:
    """Return the position of the spring: 0 when released, 1 at rest."""
    root = math.sqrt(1 - _SPRING_DAMPING**2)
    phase = _SPRING_FREQUENCY * root * seconds
    decay = math.exp(-_SPRING_DAMPING * _SPRING_FREQUENCY * seconds)
    return 1 - decay * (math.cos(phase) + _SPRING_DAMPING / root * math.sin(phase))


_POSES: Final[dict[AnimationStyle, Callable[[Timeline, int], Pose]]] = {
    AnimationStyle.FADE_IN: _fade_in,
    AnimationStyle.TYPEWRITER: _typewriter,
    AnimationStyle.SLIDE_UP: _slide_up,
    AnimationStyle.SCALE: _scale,
}
