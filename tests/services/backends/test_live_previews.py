"""The previews of the renderers that draw on this machine, from a frame to the file in the storage."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from services.backends.remotion_node.backend import NodeBackend
from services.backends.text.backend import TextBackend
from services.media import Media, OutputFormat, OutputOptions
from services.models import AnimationStyle, Render, replace
from services.ports import AttemptProgress
from services.renders import lifecycle
from tests.conftest import MakeRender
from tests.services.backends.test_backend_contract import END_TIMEOUT_S, ENDLESS_PROPS, Launched, launched
from tests.services.backends.text.rendering import decode_still, rgb
from tests.support.node_renderer import needs_node, node_backend
from tests.support.text_renderer import text_renderer

__all__ = ["launched"]

pytestmark = pytest.mark.slow  # a preview is made after a second

Drawing = NodeBackend | TextBackend


# Text at rest has no newer previews: this moves for 4,500 frames.
MOVING = replace(ENDLESS_PROPS, text="word " * 90, style=AnimationStyle.TYPEWRITER, fps=120)


@pytest.fixture(params=["text", pytest.param("node", marks=needs_node)])
async def drawing(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Drawing]:
    if request.param == "text":
        async with text_renderer(tmp_path) as text:
            yield text
    else:
        async with node_backend(request.getfixturevalue("node_bundle"), tmp_path) as node:
            yield node


async def previewed(backend: Drawing, render: Render, *, after: int = 0) -> Render:
    """Poll until there is a preview made after this many frames, and return the render with it."""
    async with asyncio.timeout(END_TIMEOUT_S):
        while True:
            observed = await backend.observe(render)
            assert isinstance(observed, AttemptProgress), observed
            if (observed.preview_frame or 0) > after:
                return lifecycle.advance(render, observed)
            await asyncio.sleep(0.02)


async def test_a_running_attempt_has_a_newer_preview_each_second_until_its_end(
    drawing: Drawing, launched: Launched, tmp_path: Path
) -> None:
    options = OutputOptions(format=OutputFormat.VP8, scale=6)
    render = launched(
        props=MOVING,
        output_options=options,
        media=Media(frames=MOVING.duration_in_frames, fps=120, width=1920, height=1080),
    )
    await drawing.start(render)
    first = await previewed(drawing, render)
    second = await previewed(drawing, first, after=first.preview_frame or 0)
    urls = [drawing.sign_preview(each, expires_in=timedelta(minutes=1)) for each in (render, first, second)]
    assert urls[0] is None
    assert len({download.url for download in urls if download is not None}) == 2
    (path,) = (tmp_path / "outputs").glob("*.preview.jpg")
    assert path.name == f"{render.id}.preview.jpg"
    frame = decode_still(path.read_bytes())
    assert (frame.width, frame.height) == (480, 270)
    colors = rgb(frame).reshape(-1, 3)
    assert np.ptp(colors, axis=0).min() > 60  # text
    assert await drawing.stop(second) is None
    await drawing.abandon(second)
    await drawing.close()
    assert list((tmp_path / "outputs").iterdir()) == []


@pytest.mark.parametrize("drawing", [pytest.param("node", marks=needs_node)], indirect=True)
async def test_frames_that_are_png_files_are_previewed_and_none_is_left(
    drawing: NodeBackend, make_render: MakeRender
) -> None:
    options = OutputOptions(format=OutputFormat.VP8, transparent=True)
    queued = make_render(composition_id="Slow", props=None, input_props="{}", output_options=options)
    render = lifecycle.launch(queued, now=queued.created_at)
    await drawing.start(render)
    await previewed(drawing, render)
    (path,) = drawing.storage.work_folder.glob("*.preview.jpg")
    assert rgb(decode_still(path.read_bytes())).shape == (90, 160, 3)
    host = drawing._hosts._shared
    assert host is not None
    await drawing.abandon(render)
    async with asyncio.timeout(END_TIMEOUT_S):
        while [*host.folder.glob("frame-*")]:  # noqa: ASYNC110  # the host removes it
            await asyncio.sleep(0.02)
