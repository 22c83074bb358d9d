"""Errors of compositions, each reported as a failure of its render only."""

import json
from pathlib import Path

import pytest

from services.backends.remotion_node.backend import NodeBackend
from services.errors import BackendUnavailable
from services.models import Failure
from services.ports import AttemptFailed, AttemptFinished
from tests.services.backends.remotion_node.conftest import Launched
from tests.services.backends.test_backend_contract import until
from tests.support.node_renderer import needs_node, node_backend

pytestmark = [pytest.mark.slow, needs_node, pytest.mark.asyncio(loop_scope="module")]

UNREACHABLE = "http://127.0.0.1:9"  # nothing listens on the port


@pytest.fixture(scope="module")
def node(module_node: NodeBackend) -> NodeBackend:
    return module_node


async def fail(node: NodeBackend, launched: Launched, kind: str, *, url: str = "") -> Failure:
    render = launched("Fault", input_props=json.dumps({"kind": kind, "url": url}))
    await node.start(render)
    failure = (await until(node, render, AttemptFailed)).failure
    await node.abandon(render)
    await node._previews.wait(render)  # for the deletion of the preview, if one was made
    assert not list(node.storage.work_folder.glob(f"{render.id}*"))
    return failure


@pytest.mark.parametrize(
    ("kind", "url", "code", "detail"),
    [
        ("throws", "", "COMPOSITION_ERROR", "The component is broken."),
        ("surrogate", "", "COMPOSITION_ERROR", "Half of a pair: \N{REPLACEMENT CHARACTER}, and no half: \\ud83d."),
        ("idle", "", "COMPOSITION_ERROR", "An idle page failed."),
        ("metadata", "", "COMPOSITION_ERROR", "The metadata can't be calculated."),
        ("exit", "", "COMPOSITION_ERROR", "process.exit is not a function"),
        ("memory", "", "COMPOSITION_ERROR", "Invalid array buffer length"),
        ("fetch", UNREACHABLE, "RENDERER_UNAVAILABLE", "Failed to fetch"),
        ("fetch", "file:///etc/hostname", "COMPOSITION_ERROR", 'URL scheme "file" is not supported'),
        ("image", f"{UNREACHABLE}/x.png", "COMPOSITION_ERROR", "Error loading image"),
        ("image", "file:///etc/hostname", "COMPOSITION_ERROR", "Error loading image"),
    ],
)
async def test_a_fault_of_a_composition(
    node: NodeBackend, launched: Launched, kind: str, url: str, code: str, detail: str
) -> None:
    failure = await fail(node, launched, kind, url=url)
    assert (failure.code, detail in str(failure.detail)) == (code, True), failure.detail


async def test_the_detail_has_the_stack_and_what_the_composition_logged(node: NodeBackend, launched: Launched) -> None:
    detail = str((await fail(node, launched, "throws")).detail)
    assert "at Fault" in detail
    assert "console: logged before the error" in detail


async def test_an_unknown_composition(node: NodeBackend, launched: Launched) -> None:
    render = launched("Nope")
    await node.start(render)
    failure = (await until(node, render, AttemptFailed)).failure
    assert (failure.code, failure.retryable) == ("COMPOSITION_NOT_FOUND", False)


async def test_a_fault_leaves_other_renders_alone(node: NodeBackend, launched: Launched) -> None:
    healthy = launched("Colors")
    await node.start(healthy)
    await fail(node, launched, "throws")
    await until(node, healthy, AttemptFinished)


async def test_compositions_with_their_schemas(node: NodeBackend) -> None:
    found = {composition.id: composition for composition in await node.compositions()}
    assert {"Promo", "Card", "Plain", "Event", "TextAnimation"} <= found.keys()
    assert (found["Promo"].props_schema is not None, found["Promo"].is_dynamic) == (True, True)
    assert (found["Colors"].width, found["Colors"].duration_in_frames, found["Colors"].is_dynamic) == (160, 6, False)


async def test_a_bundle_that_is_no_site_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<p>Not a site</p>")
    async with node_backend(tmp_path, tmp_path) as node:
        with pytest.raises(BackendUnavailable):
            await node.compositions()
