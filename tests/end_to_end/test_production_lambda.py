"""A deployment that renders on Lambda: processes on a function and a bucket for tests."""

import signal
from pathlib import Path

import httpx
import pytest

from tests.end_to_end.on_lambda import KEY, SECRET
from tests.end_to_end.processes import COMMAND, spawn_program
from tests.end_to_end.production import Site, open_client, report, watching
from tests.support.api_client import TEST_TIMEOUT_S, Client
from tests.support.held_videos import HeldVideos
from tests.support.lambda_faults import Fault
from tests.support.lambda_scenarios import Scenario
from tests.support.lambda_server import LambdaServer
from tests.support.remotion_farm import BUCKET
from tests.support.s3_server import S3Server

REFRESH = """mutation ($id: ID!) { refreshDownloadUrl(renderId: $id) { __typename ... on DownloadUrl { url } } }"""
DELETE = """mutation ($id: ID!) { deleteRender(renderId: $id) { __typename } }"""


async def all_complete(client: Client, ids: list[str]) -> None:
    """Wait until all renders are COMPLETE, each after one attempt and with a video that can be downloaded."""
    async with httpx.AsyncClient(trust_env=False, timeout=TEST_TIMEOUT_S) as http:
        for render_id in ids:
            render = await client.until(render_id, status="COMPLETE")
            assert render["attempt"] == 1
            video = await http.get(render["outputUrl"])
            assert (video.status_code, len(video.content)) == (200, render["outputSizeBytes"])
            assert (await http.get(render["posterUrl"])).content.startswith(b"\xff\xd8")  # a JPEG
    assert await client.quota_used() == len(ids)


async def test_another_worker_continues_the_renders_of_a_killed_worker(
    site: Site, deployment: dict[str, object], function: LambdaServer, s3_server: S3Server
) -> None:
    api, first = site.start("serve --port 0", "worker", **deployment)
    videos = function.s3 = HeldVideos(s3_server)
    async with open_client(api.url) as client:
        ids = [await client.start_render(text=f"render {number}") for number in range(10)]
        async with watching(ids, client) as watchers:
            for render_id in ids:
                await client.until(render_id, status="RENDERING")
            site.kill(first)
            (second,) = site.start("worker", **deployment)
            videos.release()
        await all_complete(client, ids)
        assert len(function.starts) == len(ids)
        fresh = await client.execute(REFRESH, id=ids[0])
        assert KEY in fresh["url"]
        assert await client.execute(DELETE, id=ids[0]) == {"__typename": "DeleteRenderSuccess"}
        assert not [key for key in s3_server.keys(BUCKET) if ids[0] in key]
    assert (second.end(), api.end()) == (0, 0)
    assert SECRET not in "".join(process.log for process in site.started)
    report("worker killed during renders on Lambda", ids, (), watchers)


async def test_a_worker_that_gets_sigterm_during_a_start_loses_no_response(
    site: Site, deployment: dict[str, object], function: LambdaServer
) -> None:
    api, first = site.start("serve --port 0", "worker", **deployment)
    function.fault(Fault.SLOW, seconds=2)
    async with open_client(api.url) as client:
        render_id = await client.start_render()
        while not function.starts:
            await client.list_renders()
        assert first.end(signal.SIGTERM) == 0
        site.start("worker", **deployment)
        await all_complete(client, [render_id])
    assert len(function.starts) == 1


async def test_an_api_without_a_setting_starts_and_logs_it(site: Site, deployment: dict[str, object]) -> None:
    (api,) = site.start("serve --port 0", **{**deployment, "REMOTION_SERVE_URL": ""})
    async with open_client(api.url) as client:
        assert await client.start() == {
            "__typename": "RenderServiceNotConfigured",
            "message": "Render service not configured. Please contact support.",
        }
        assert await client.quota_used() == 0
    assert "REMOTION_SERVE_URL is not set" in api.log


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"REMOTION_SERVE_URL": ""}, "REMOTION_SERVE_URL is not set"),
        ({"REMOTION_SERVE_URL": "nowhere"}, "REMOTION_SERVE_URL must start with"),
        ({"REMOTION_LAMBDA_FUNCTION_NAME": "remotion-render-none"}, "REMOTION_LAMBDA_FUNCTION_NAME"),
        ({"REMOTION_BUCKET_NAME": "no-such-bucket"}, "REMOTION_BUCKET_NAME"),
    ],
)
def test_a_worker_that_can_not_render_ends_with_the_wrong_setting(
    site: Site, deployment: dict[str, object], tmp_path: Path, changes: dict[str, object], sentence: str
) -> None:
    settings = {**site.settings, **deployment, **changes}
    worker = spawn_program(tmp_path, [COMMAND, "worker"], settings)
    output, _ = worker.communicate(timeout=TEST_TIMEOUT_S)
    log = (tmp_path / "stderr").read_text()
    assert (worker.returncode, output) == (1, b"")
    assert sentence in log
    assert SECRET not in log


async def test_concurrent_renders_fail_and_complete_independently(
    site: Site, deployment: dict[str, object], function: LambdaServer
) -> None:
    (api,) = site.start("serve --port 0 --with-worker", **deployment)
    function.use_scenario_for_text("mistake", Scenario.REACT_ERROR)
    async with open_client(api.url) as client:
        good, bad = await client.start_render(text="fine"), await client.start_render(text="mistake")
        assert (await client.until(bad, status="FAILED"))["error"]["code"] == "COMPOSITION_ERROR"
        assert (await client.until(good, status="COMPLETE"))["costUsd"] > 0
