"""A Remotion project is rendered by its own packages: in `rendercast dev`, and on the workers of a deployment."""

import asyncio
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest

from tests.browser.visitors import CHROMIUM
from tests.end_to_end.processes import COMMAND, Running, assert_no_traceback, quiet_window_s, spawn
from tests.end_to_end.production import RENDERED_TIMEOUT_S, Site, rendered
from tests.end_to_end.production import open_client as open_user_client
from tests.support.api_client import DELETE, RETRY_S, TEST_TIMEOUT_S, Client, open_client, pauses
from tests.support.node_processes import descendants
from tests.support.node_renderer import needs_node, shared_project

BUNDLING_TIMEOUT_S = 240.0  # without a cache, webpack takes 40 s on a busy machine
COMPOSITIONS = "{ compositions { id kind propsSchema } }"

pytestmark = needs_node


@pytest.fixture
def project() -> Iterator[Path]:
    with shared_project() as project:
        yield project


@pytest.fixture
def rendercast(tmp_path: Path, project: Path) -> Iterator[Running]:
    settings = {"remotion_browser": CHROMIUM, "quota_window_s": quiet_window_s()}
    command = [COMMAND, "dev", "--port", "0", "--project", str(project)]
    running = Running(tmp_path, command, settings, timeout_s=BUNDLING_TIMEOUT_S)
    yield running
    running.close()
    assert_no_traceback(running.log)


async def test_a_foreign_project_is_listed_and_rendered(rendercast: Running) -> None:
    processes = descendants(rendercast.process.pid)
    assert processes
    async with open_client(rendercast.url) as client:
        found = {each["id"]: each for each in await compositions(client)}
        assert {"Promo", "Card", "Plain", "Event"} <= found.keys()
        assert found["Card"]["kind"] == "STILL"
        assert found["Promo"]["propsSchema"]["properties"]
        started = await client.start_composition("Plain", {})
        render = await rendered(client, started["render"]["id"])
        assert render["progress"] == 100
        video = (await client.http.get(render["outputUrl"])).content
        assert (await client.http.get(render["posterUrl"])).status_code == 200
        invalid = await client.start_composition("Promo", {"title": 1})
        assert invalid["__typename"] == "InvalidInput"
    assert frames(video) == render["totalFrames"] == render["framesRendered"]
    processes |= descendants(rendercast.process.pid)
    assert rendercast.end() == 0
    async with asyncio.timeout(TEST_TIMEOUT_S):
        while any(map(runs, processes)):  # noqa: ASYNC110  # as long as processes take
            await asyncio.sleep(RETRY_S)


async def test_servers_serve_what_workers_render_without_the_project(site: Site, project: Path) -> None:
    (server,) = site.start("serve --port 0", renderer="node", PATH="/nowhere")
    settings = {"remotion_browser": CHROMIUM, "remotion_project": project}
    site.start_timeout_s = BUNDLING_TIMEOUT_S
    site.start("worker", renderer="node", **settings)
    async with open_user_client(server.url) as client:
        assert {each["id"] for each in await compositions(client)} >= {"Promo", "Card"}
        started = await client.start_composition("Card", {"heading": "Sale"})
        render = await rendered(client, started["render"]["id"])
        download = await client.http.get(render["outputUrl"])
        assert download.headers["content-type"] == "image/png"
        deleted = await client.execute(DELETE, id=render["id"])
        assert deleted["__typename"] == "DeleteRenderSuccess"
        assert (await client.http.get(render["outputUrl"])).status_code == 404


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--project", "nowhere"], "nowhere, which does not exist."),
        (["--project", "."], "has no node_modules: run `npm install` there."),
        ([], "REMOTION_PROJECT is not set: set it to the folder of your Remotion project."),
    ],
)
def test_a_project_that_cannot_be_used_is_one_sentence(tmp_path: Path, arguments: list[str], message: str) -> None:
    process = spawn(tmp_path, "dev", "--port", "0", *arguments, renderer="node")
    output, _ = process.communicate(timeout=TEST_TIMEOUT_S)
    error = (tmp_path / "stderr").read_text()
    assert (process.returncode, output) == (1, b"")
    assert error.startswith("rendercast: ")
    assert error.endswith(f"{message}\n")
    assert error.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["stderr"]


async def compositions(client: Client) -> list[dict[str, Any]]:
    """Return the compositions, once they are discovered in a browser."""
    async with asyncio.timeout(RENDERED_TIMEOUT_S):
        for pause_s in pauses():
            found: list[dict[str, Any]] = await client.execute(COMPOSITIONS)
            if found:
                return found
            await asyncio.sleep(pause_s)
    raise AssertionError


def frames(video: bytes) -> int:
    with av.open(io.BytesIO(video), "r") as container:
        return len(list(container.decode(video=0)))


def runs(process_id: int) -> bool:
    """Return whether a process runs and is no zombie."""
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False
