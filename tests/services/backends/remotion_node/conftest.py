"""The backend on the bundle of a real project, and renders of its compositions."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from services.backends.remotion_node.backend import NodeBackend
from services.models import Render
from services.renders import lifecycle
from tests.conftest import MakeRender
from tests.support.node_renderer import node_backend

MIN_FRAME_TIMEOUT_S = 7.0  # of Remotion
CPU_SECOND_USD = 0.5

Launched = Callable[..., Render]


@pytest.fixture
async def node(node_bundle: Path, tmp_path: Path) -> AsyncIterator[NodeBackend]:
    async with node_backend(
        node_bundle, tmp_path, frame_timeout_s=MIN_FRAME_TIMEOUT_S, cpu_second_usd=CPU_SECOND_USD
    ) as backend:
        yield backend


@pytest.fixture
def launched(make_render: MakeRender) -> Launched:
    """Make a launched render of a composition of the project."""

    def make(composition_id: str, **values: object) -> Render:
        given = {"props": None, "input_props": "{}", **values}
        render = make_render(composition_id=composition_id, **given)
        return lifecycle.launch(render, now=render.created_at)

    return make
