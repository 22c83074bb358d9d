"""Webhooks from processes to a receiver: none is lost when a process is killed, and each signature is valid."""

import asyncio
import json
import os
import signal
import subprocess
from pathlib import Path

import httpx

from tests.conftest import PROPS
from tests.end_to_end.conftest import Start
from tests.end_to_end.production import Site, open_client
from tests.end_to_end.slow import SlowRenderers
from tests.support.api_client import CANCEL, TEST_TIMEOUT_S
from tests.support.api_client import open_client as open_dev_client
from tests.support.forked import run_forked_text
from tests.support.webhook_receiver import SECRET, hang, open_receiver, reset, status

SMALL = {"text_width": 320, "text_height": 180}
LONG = 600  # frames: ten seconds or more with slow renderers
LEASE_S = 10  # a live worker renews its leases in time even on a busy machine
LONGER_THAN_THE_TEST_S = 300
LIST_INTERVAL_S = 0.5  # the command takes as much CPU time
LOOPBACK = "127.0.0.0/8"


def webhooks(url: str, **more: object) -> dict[str, object]:
    return {"webhook_url": url, "webhook_secret": SECRET, "webhook_networks": LOOPBACK, **more}


def command(folder: Path, settings: dict[str, object], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `rendercast webhooks` in a folder with these settings."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RENDERCAST_")}
    given = {name if name.isupper() else f"RENDERCAST_{name.upper()}": str(value) for name, value in settings.items()}
    return run_forked_text(["webhooks", *arguments], cwd=folder, env=environment | given)


def listed(folder: Path, settings: dict[str, object], *arguments: str) -> list[dict[str, object]]:
    ended = command(folder, settings, "list", "--json", *arguments)
    assert ended.returncode == 0, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()]


async def settled(folder: Path, settings: dict[str, object], count: int) -> list[dict[str, object]]:
    """Wait until this number of messages is not PENDING, and return them."""
    async with asyncio.timeout(TEST_TIMEOUT_S):
        while True:
            messages = await asyncio.to_thread(listed, folder, settings)
            done = [message for message in messages if message["status"] != "PENDING"]
            if len(done) == count:
                return done
            await asyncio.sleep(LIST_INTERVAL_S)


async def test_a_receiver_gets_each_end_with_a_url_of_the_video(start: Start, renderers: SlowRenderers) -> None:
    async with open_receiver(reset) as receiver:
        rendercast = start(**SMALL, **webhooks(receiver.url))
        async with open_dev_client(rendercast.url) as client:
            done = await client.start_render()
            await client.until(done, status="COMPLETE")
            renderers.slow_down()
            cancelled = await client.start_render(durationInFrames=LONG)
            await client.execute(CANCEL, id=cancelled)
            await client.until(cancelled, status="CANCELLED")
            requests = await receiver.got(3)
        payloads = [request.verified() for request in requests[1:]]
        by_render = {payload["data"]["id"]: payload for payload in payloads}
        assert {by_render[done]["type"], by_render[cancelled]["type"]} == {"render.completed", "render.cancelled"}
        assert by_render[done]["data"]["outputUrl"].startswith(rendercast.url)
        async with httpx.AsyncClient(trust_env=False, timeout=TEST_TIMEOUT_S) as http:
            video = await http.get(by_render[done]["data"]["outputUrl"])
        assert len(video.content) == by_render[done]["data"]["outputSizeBytes"]
        messages = await settled(rendercast.folder, {}, 2)
        assert [len(message["attempts"]) for message in messages if message["id"] == requests[0].id] == [2]  # type: ignore[arg-type]
        assert rendercast.end() == 0
    for secret in (SECRET, "hunter2", PROPS.text, "signature="):
        assert secret not in rendercast.log


async def test_a_stored_message_is_delivered_after_the_process_was_killed_before_the_attempt(start: Start) -> None:
    async with open_receiver() as receiver:
        # The outbox is polled at the start and not again before the process is killed.
        first = start(**SMALL, **webhooks(receiver.url, acquire_interval_s=60))
        async with open_dev_client(first.url) as client:
            render_id = await client.start_render()
            await client.until(render_id, status="COMPLETE")
            first.end(signal.SIGKILL)
        assert receiver.received == []
        (message,) = await asyncio.to_thread(listed, first.folder, {})
        assert (message["status"], message["attempts"]) == ("PENDING", [])
        second = start(**SMALL, **webhooks(receiver.url))
        (request,) = await receiver.got(1)
        assert request.verified()["data"]["id"] == render_id
        await settled(second.folder, {}, 1)
        assert second.end() == 0


async def test_a_stored_message_is_delivered_after_the_process_was_killed_during_the_attempt(start: Start) -> None:
    async with open_receiver(hang) as receiver:
        first = start(**SMALL, **webhooks(receiver.url, lease_s=1, webhook_timeout_s=2))
        async with open_dev_client(first.url) as client:
            render_id = await client.start_render()
            (during,) = await receiver.got(1)  # it gets no response
            first.end(signal.SIGKILL)
        second = start(**SMALL, **webhooks(receiver.url))
        requests = await receiver.got(2)
        assert requests[1].id == during.id == f"msg_{render_id}"
        assert requests[1].verified()["data"]["id"] == render_id
        (message,) = await settled(second.folder, {}, 1)
        attempts = message["attempts"]
        assert [attempt["statusCode"] for attempt in attempts] == [None, 204]  # type: ignore[attr-defined]
        assert second.end() == 0
        assert len(receiver.received) == 2


async def test_a_worker_killed_during_deliveries_loses_none_and_two_workers_send_each_once(site: Site) -> None:
    async with open_receiver(*[hang] * 20, always=status(204)) as receiver:
        settings = webhooks(receiver.url, lease_s=LEASE_S)
        api, doomed = site.start("serve --port 0", "worker", **settings, webhook_timeout_s=3)
        async with open_client(api.url) as client:
            early = [await client.start_render() for _ in range(4)]
            await receiver.got(1)
            site.kill(doomed)  # at least one attempt is in progress
            receiver.replies.clear()
            await asyncio.to_thread(site.start, "worker", "worker", **settings)  # the receiver must respond
            late = [await client.start_render() for _ in range(6)]
            for render_id in early + late:
                await client.until(render_id, status="COMPLETE")
        await receiver.got(1 + len(early + late))
        messages = await settled(site.started[0].folder, _of(site), len(early + late))
        assert {message["status"] for message in messages} == {"DELIVERED"}
        ids = [request.id for request in receiver.received]
        assert set(ids) == {f"msg_{render_id}" for render_id in early + late}
        attempts = {str(message["id"]): [each["statusCode"] for each in message["attempts"]] for message in messages}  # type: ignore[attr-defined]
        assert [None, 204] in attempts.values()
        for id_, codes in attempts.items():
            assert codes in ([204], [None, 204]), codes  # only attempts of the killed worker have no response
            assert 1 <= ids.count(id_) <= len(codes)
        assert all(request.verified()["type"] == "render.completed" for request in receiver.received)


async def test_messages_that_were_stored_without_a_worker_are_delivered_by_the_first_one(site: Site) -> None:
    """The API process itself ends a queued render: it stores the message in MongoDB without a worker."""
    async with open_receiver() as receiver:
        settings = webhooks(receiver.url)
        (api,) = site.start("serve --port 0", **settings)
        async with open_client(api.url) as client:
            render_id = await client.start_render()
            assert (await client.execute(CANCEL, id=render_id))["render"]["status"] == "CANCELLED"
        site.kill(api)
        (message,) = await asyncio.to_thread(listed, api.folder, _of(site))
        assert (message["status"], message["attempts"]) == ("PENDING", [])
        (worker,) = site.start("worker", **settings)
        (request,) = await receiver.got(1)
        assert request.verified()["type"] == "render.cancelled"
        await settled(api.folder, _of(site), 1)
        assert worker.end() == 0


async def test_a_worker_that_gets_sigterm_during_a_delivery_ends_and_releases_it(site: Site) -> None:
    async with open_receiver(hang) as receiver:
        api, worker = site.start("serve --port 0", "worker", **webhooks(receiver.url, lease_s=LONGER_THAN_THE_TEST_S))
        async with open_client(api.url) as client:
            render_id = await client.start_render()
            await receiver.got(1)
        assert await asyncio.to_thread(worker.end) == 0
        site.start("worker", **webhooks(receiver.url))
        requests = await receiver.got(2)  # long before the lease of the first attempt would expire
        assert {request.id for request in requests} == {f"msg_{render_id}"}


def test_a_url_without_a_secret_is_a_startup_error(tmp_path: Path) -> None:
    environment = {**os.environ, "RENDERCAST_WEBHOOK_URL": "https://hooks.example.com"}
    ended = run_forked_text(["dev", "--port", "0"], cwd=tmp_path, env=environment)
    assert ended.returncode == 1
    assert ended.stderr == (
        "rendercast: RENDERCAST_WEBHOOK_URL is set, but RENDERCAST_WEBHOOK_SECRET is not: webhooks need both.\n"
    )


def _of(site: Site) -> dict[str, object]:
    return {"MONGODB_URL": site.settings["MONGODB_URL"]}
