"""The metrics that Prometheus gets from whole processes."""

import re
import socket
from pathlib import Path

import httpx
import pytest

from tests.end_to_end.conftest import Start
from tests.end_to_end.processes import COMMAND, Running, spawn_program
from tests.end_to_end.production import SETTINGS, Site, open_client
from tests.support.api_client import GET, PROGRESS, TEST_TIMEOUT_S, Client
from tests.support.api_client import open_client as open_local_client
from tests.support.api_stream import open_stream
from tests.support.scraping import Samples, samples_of

ADDRESS = re.compile(r"metrics are at http://127\.0\.0\.1:(\d+)/metrics")
COMPLETE = 'rendercast_renders_ended_total{code="",status="complete"}'


def address(process: Running) -> tuple[str, int]:
    found = ADDRESS.search(process.log)
    assert found, process.log
    return "127.0.0.1", int(found[1])


def scrape(process: Running) -> Samples:
    host, port = address(process)
    response = httpx.get(f"http://{host}:{port}/metrics", trust_env=False, timeout=TEST_TIMEOUT_S)
    assert response.headers["content-type"].startswith("text/plain; version=")
    return samples_of(response.text)


async def render_to_its_end(client: Client) -> None:
    render_id = await client.start_render(durationInFrames=30)
    async with open_stream(client) as stream:
        await stream.subscribe(PROGRESS, id=render_id)
        states = await stream.rest()
    assert states[-1]["status"] == "COMPLETE"


async def test_a_single_process_reports_all_metrics(start: Start) -> None:
    rendercast = start(metrics_port=0, quota_limit=1)
    async with open_local_client(rendercast.url) as client:
        await render_to_its_end(client)
        assert (await client.start())["__typename"] == "RenderQuotaExceeded"
        samples = scrape(rendercast)
        assert samples["rendercast_renders_started_total"] == samples[COMPLETE] == 1
        assert samples['rendercast_render_duration_seconds_count{status="complete"}'] == 1
        assert samples["rendercast_quota_refusals_total"] == 1
        assert samples["rendercast_publish_to_send_lag_seconds_count"] >= 1
        assert samples["rendercast_poll_lag_seconds_count"] >= 1
        assert samples["rendercast_queue_depth"] == samples["rendercast_queue_oldest_age_seconds"] == 0
        assert samples['rendercast_store_duration_seconds_count{operation="add"}'] == 2
        assert samples['rendercast_pubsub_duration_seconds_count{operation="publish"}'] >= 3
        assert {f'rendercast_last_tick_timestamp_seconds{{loop="{loop}"}}' for loop in ("hub", "worker")} <= set(
            samples
        )
        async with open_stream(client) as stream:
            await stream.subscribe(GET, id="x")
            await stream.receive()
            assert scrape(rendercast)["rendercast_connections"] == 1


def test_a_stop_does_not_wait_for_open_scrape_connections(start: Start) -> None:
    rendercast = start(metrics_port=0)
    with socket.create_connection(address(rendercast)):
        scrape(rendercast)
        assert rendercast.end() == 0


async def test_each_production_process_reports_its_own_metrics(site: Site) -> None:
    api, worker = site.start("serve --port 0", "worker", metrics_port=0)
    async with open_client(api.url) as client:
        await render_to_its_end(client)
        of_api, of_worker = scrape(api), scrape(worker)
    assert of_api["rendercast_renders_started_total"] == of_worker[COMPLETE] == 1
    assert of_api["rendercast_publish_to_send_lag_seconds_count"] >= 1
    assert of_api["rendercast_queue_depth"] == of_worker["rendercast_queue_depth"] == 0
    assert 'rendercast_last_tick_timestamp_seconds{loop="worker"}' not in of_api
    assert of_worker["rendercast_worker_capacity"] >= 1
    assert (api.end(), worker.end()) == (0, 0)


@pytest.mark.parametrize("command", [("dev", "--port", "0"), ("serve", "--port", "0"), ("worker",)])
def test_a_port_in_use_stops_the_start_before_anything_else(tmp_path: Path, command: tuple[str, ...]) -> None:
    nowhere = {"MONGODB_URL": "mongodb://127.0.0.1:1/x", "REDIS_URL": "redis://127.0.0.1:1"}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = spawn_program(tmp_path, [COMMAND, *command], {**SETTINGS, **nowhere, "metrics_port": port})
        process.communicate(timeout=TEST_TIMEOUT_S)
    text = (tmp_path / "stderr").read_text()
    assert process.returncode == 1
    assert text.startswith(f"rendercast: Can't serve metrics on 127.0.0.1:{port}: ")
    assert text.count("\n") == 1


def test_no_port_is_opened_by_default(start: Start) -> None:
    assert "metrics" not in start(log_level="debug").log
