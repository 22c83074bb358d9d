"""What many tests use."""

from collections.abc import Callable
from datetime import datetime

import pytest

from services.ids import new_render_id
from services.models import AnimationProps, AnimationStyle, Render
from tests.fakes import START_OF_TIME, FakeBackend, FakeClock, MemoryStore

PROPS = AnimationProps(
    text="Hello",
    style=AnimationStyle.FADE_IN,
    font_family="Inter",
    font_size=72.0,
    color="#ffffff",
    background_color=None,
    duration_in_frames=90,
    fps=30,
)

MakeRender = Callable[..., Render]


@pytest.fixture
def props() -> AnimationProps:
    return PROPS


@pytest.fixture
def make_render() -> MakeRender:
    def make(*, owner: str = "ann", at: datetime = START_OF_TIME, **values: object) -> Render:
        given = {"id": new_render_id(at), "owner": owner, "props": PROPS, "created_at": at, **values}
        return Render(**given)  # type: ignore[arg-type]

    return make


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def memory_store(clock: FakeClock) -> MemoryStore:
    return MemoryStore(clock)


@pytest.fixture
def backend() -> FakeBackend:
    return FakeBackend()
