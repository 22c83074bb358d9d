"""Compositions that never continue: the time for a step of their renders ends, which each step may use up."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from services.backends.remotion_node.backend import NodeBackend
from tests.services.backends.remotion_node.conftest import Launched
from tests.services.backends.remotion_node.test_faults import fail
from tests.support.node_renderer import needs_node, node_backend

pytestmark = [pytest.mark.slow, needs_node, pytest.mark.asyncio(loop_scope="module")]

FRAME_TIMEOUT_S = 15.0  # Remotion permits 7 s, which a busy machine may need to open a page


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def node(node_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[NodeBackend]:
    async with node_backend(node_bundle, tmp_path_factory.mktemp("node"), frame_timeout_s=FRAME_TIMEOUT_S) as backend:
        yield backend


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def silent_port() -> AsyncIterator[int]:
    """The port of a server that reads until the client disconnects."""

    async def read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await reader.read()
        writer.close()

    async with await asyncio.start_server(read, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    ("kind", "detail"),
    [
        ("leave", "waiting for the page"),
        ("endless", "never continued"),
        ("blocked", "waiting for the page"),
        ("metadata-blocked", "was not evaluated"),
    ],
)
async def test_a_composition_that_never_continues(
    node: NodeBackend, launched: Launched, silent_port: int, kind: str, detail: str
) -> None:
    url = f"http://127.0.0.1:{silent_port}" if "blocked" in kind else ""
    failure = await fail(node, launched, kind, url=url)
    assert (failure.code, detail in str(failure.detail)) == ("FRAME_TIMEOUT", True), failure.detail
