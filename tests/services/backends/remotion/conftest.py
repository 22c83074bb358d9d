from collections.abc import Callable
from datetime import timedelta

import pytest

from services import lifecycle
from services.models import Render
from tests.conftest import MakeRender


@pytest.fixture
def launched(make_render: MakeRender) -> Callable[..., Render]:
    """Return a render whose attempt is about to be started."""

    def make(**values: object) -> Render:
        render = make_render(**values)
        return lifecycle.launch(render, now=render.created_at, deadline_at=render.created_at + timedelta(hours=1))

    return make
