"""The backend on the bundle of a real project, and renders of its compositions."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
import pytest_asyncio

from services.backends.remotion_node.backend import NodeBackend
from services.models import Render
from services.renders import lifecycle
from tests.conftest import MakeRender
from tests.support.node_renderer import node_backend

FRAME_TIMEOUT_S = 600.0  # longer than the tests wait, so that no failure may come from this timeout
CPU_SECOND_USD = 0.5

Launched = Callable[..., Render]


def open_node(bundle: Path, data_dir: Path) -> AbstractAsyncContextManager[NodeBackend]:
    return node_backend(bundle, data_dir, frame_timeout_s=FRAME_TIMEOUT_S, cpu_second_usd=CPU_SECOND_USD)


@pytest.fixture
async def node(node_bundle: Path, tmp_path: Path) -> AsyncIterator[NodeBackend]:
    async with open_node(node_bundle, tmp_path) as backend:
        yield backend


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def module_node(node_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[NodeBackend]:
    """A backend for all tests of a module: the start of Node and the browser takes half a second of CPU time."""
    async with open_node(node_bundle, tmp_path_factory.mktemp("node")) as backend:
        yield backend


@pytest.fixture
def launched(make_render: MakeRender) -> Launched:
    """Make a launched render of a composition of the project."""

    def make(composition_id: str, **values: object) -> Render:
        given = {"props": None, "input_props": "{}", **values}
        render = make_render(composition_id=composition_id, **given)
        return lifecycle.launch(render, now=render.created_at)

    return make
