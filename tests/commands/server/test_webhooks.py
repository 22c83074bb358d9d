"""`rendercast webhooks` on the data of a `dev`, running or not, and the receivers in the documentation."""

import asyncio
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from commands.server.webhooks import LIST_HELP, REPLAY_BATCH, REPLAY_HELP, SHOW_HELP
from services.clock import SystemClock, format_time
from services.models import Failure, Render, WebhookStatus
from services.renders import lifecycle
from services.settings import CHECKOUT
from services.stores.sqlite import SqliteStore, open_sqlite_store
from services.webhooks import messages
from services.webhooks.messages import DeliveryResult, WebhookMessage
from services.webhooks.ports import Outbox
from tests.commands.conftest import environment
from tests.conftest import MakeRender
from tests.end_to_end.processes import COMMAND
from tests.support.forked import run_forked_text
from tests.support.server_process import free_port
from tests.support.stored_renders import added
from tests.support.webhook_receiver import SECRET, TEST_TIMEOUT_S, open_receiver, status

pytestmark = pytest.mark.slow

DOCS = (CHECKOUT / "docs" / "webhooks.md").read_text(encoding="utf-8")
NODE = os.environ.get("NODE") or shutil.which("node")
EXAMPLES = re.findall(r"^  (rendercast .*?)(?: +# .*)?$", f"{LIST_HELP}\n{SHOW_HELP}\n{REPLAY_HELP}", re.MULTILINE)
NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / ".rendercast").mkdir()
    return tmp_path


@pytest.fixture
async def stored(folder: Path, make_render: MakeRender) -> AsyncIterator[list[WebhookMessage]]:
    """Messages in an open store, as while `dev` is running: one pending, one delivered, one failed."""
    async with open_sqlite_store(
        folder / ".rendercast" / "rendercast.sqlite3", SystemClock(), webhooks_enabled=True
    ) as store:
        stored = []
        for number, outcome in enumerate((None, DeliveryResult(status_code=204), DeliveryResult(status_code=410))):
            at = NOW + timedelta(seconds=number)
            render = await added(store, make_render())
            failure = Failure(code="BROKEN", message="It broke.", retryable=True)
            await store.record(lifecycle.fail(render, failure=failure, now=at))
            message = await store.outbox.get(messages.message_id(render.id))
            assert message is not None
            if outcome:
                started = messages.start_attempt(message, now=at)
                message = messages.finish_attempt(started, outcome, now=at, duration_s=0.125)
                assert await store.outbox.record(started)
                assert await store.outbox.record(message)
            stored.append(message)
        yield stored


async def failed_message(store: SqliteStore, render: Render) -> str:
    """Store an ended render and its message, to which the receiver responded 410; return the message's id."""
    render = await added(store, render)
    await store.record(lifecycle.cancel(render, now=NOW))
    message = await store.outbox.get(messages.message_id(render.id))
    assert message is not None
    await fail(store.outbox, message)
    return message.id


async def fail(outbox: Outbox, message: WebhookMessage) -> None:
    started = messages.start_attempt(message, now=NOW)
    await outbox.record(started)
    await outbox.record(messages.finish_attempt(started, DeliveryResult(status_code=410), now=NOW, duration_s=0.1))


async def fail_due_messages(outbox: Outbox) -> None:
    """Deliver due messages to a receiver that always responds 410."""
    while True:
        message = await outbox.acquire(worker="w", lease=timedelta(seconds=50))
        await (fail(outbox, message) if message else asyncio.sleep(0.001))


def run(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return run_forked_text(["webhooks", *arguments], cwd=folder, env=environment("", **settings))


def statuses(folder: Path) -> dict[str, str]:
    ended = run(folder, "list", "--json")
    assert ended.returncode == 0, ended.stderr
    return {each["id"]: each["status"] for each in map(json.loads, ended.stdout.splitlines())}


async def test_messages_are_listed_while_the_server_runs(folder: Path, stored: list[WebhookMessage]) -> None:
    pending, delivered, failed = stored
    lines = run(folder, "list").stdout.splitlines()
    assert lines[0].split() == ["id", "status", "type", "occurred", "attempts", "last"]
    assert [line.split()[:3] for line in lines[1:]] == [
        [failed.id, "failed", "render.failed"],
        [delivered.id, "delivered", "render.failed"],
        [pending.id, "pending", "render.failed"],
    ]
    assert lines[1].endswith("1         status 410")
    assert len(run(folder, "list", "--first", "1").stdout.splitlines()) == 2
    assert [line.split()[0] for line in run(folder, "list", "--failed").stdout.splitlines()[1:]] == [failed.id]
    assert [
        json.loads(line)["id"]
        for line in run(folder, "list", "--json", "--render", pending.render.id).stdout.splitlines()
    ] == [pending.id]
    assert run(folder, "list", "--failed", "--render", pending.render.id).stdout == ""


async def test_a_message_is_shown_with_the_record_of_each_attempt_and_no_text(
    folder: Path, stored: list[WebhookMessage]
) -> None:
    failed = stored[2]
    shown = run(folder, "show", failed.id)
    assert re.search(r"^ +1 .* status 410 after 0.125 s$", shown.stdout, re.MULTILINE)
    shown_json = json.loads(run(folder, "show", "--json", failed.render.id).stdout)
    assert shown_json["attempts"] == [
        {
            "number": 1,
            "beganAt": format_time(NOW + timedelta(seconds=2)),
            "durationSeconds": 0.125,
            "statusCode": 410,
            "error": None,
            "nextAttemptAt": None,
        }
    ]
    assert (shown_json["id"], shown_json["renderId"], shown_json["status"]) == (failed.id, failed.render.id, "FAILED")
    assert failed.render.props is not None
    assert failed.render.props.text not in json.dumps(shown_json) + shown.stdout
    missing = run(folder, "show", "msg_0")
    assert (missing.returncode, missing.stderr.startswith("rendercast: There is no message msg_0")) == (1, True)


async def test_messages_are_replayed_by_id_or_all_that_failed(folder: Path, stored: list[WebhookMessage]) -> None:
    pending, delivered, failed = stored
    ended = run(folder, "replay", "--failed")
    assert (ended.returncode, ended.stdout) == (0, f"{failed.id} is queued for delivery.\n")
    assert statuses(folder) == {pending.id: "PENDING", delivered.id: "DELIVERED", failed.id: "PENDING"}
    assert run(folder, "replay", delivered.id, "msg_0").returncode == 1
    assert statuses(folder)[delivered.id] == "DELIVERED"
    assert run(folder, "replay", delivered.render.id, pending.id).returncode == 0
    assert set(statuses(folder).values()) == {"PENDING"}
    assert run(folder, "replay").returncode == 2
    assert run(folder, "replay", failed.id, "--failed").returncode == 2


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_of_the_help_work(folder: Path, stored: list[WebhookMessage], example: str) -> None:
    if "| jq" in example and shutil.which("jq") is None:
        pytest.skip("there is no jq")
    typed = re.sub(r"msg_01[0-9a-z]{24}", stored[2].id, example)
    if "|" in example:
        ended = subprocess.run(
            ["/bin/bash", "-o", "pipefail", "-c", typed.replace("rendercast", COMMAND, 1)],
            cwd=folder,
            env=environment(""),
            capture_output=True,
            text=True,
            check=False,
            timeout=TEST_TIMEOUT_S,
        )
    else:
        ended = run_forked_text(shlex.split(typed)[1:], cwd=folder, env=environment(""))
    assert (ended.returncode, ended.stderr) == (0, "")


async def test_more_messages_are_replayed_than_are_read_in_one_batch(folder: Path, make_render: MakeRender) -> None:
    path = folder / ".rendercast" / "rendercast.sqlite3"
    async with open_sqlite_store(path, SystemClock(), webhooks_enabled=True) as store:
        for _ in range(120):
            await failed_message(store, make_render())
    assert len(run(folder, "replay", "--failed").stdout.splitlines()) == 120
    async with open_sqlite_store(path, SystemClock()) as store:
        assert await store.outbox.list(first=9, status=WebhookStatus.FAILED) == []


async def test_failed_messages_are_replayed_once_although_they_fail_again_meanwhile(
    folder: Path, make_render: MakeRender
) -> None:
    count = 2 * REPLAY_BATCH + 1
    async with open_sqlite_store(
        folder / ".rendercast" / "rendercast.sqlite3", SystemClock(), webhooks_enabled=True
    ) as store:
        ids = [await failed_message(store, make_render()) for _ in range(count)]
        failing = asyncio.create_task(fail_due_messages(store.outbox))
        ended = await asyncio.to_thread(run, folder, "replay", "--failed")
        failing.cancel()
    assert sorted(line.split()[0] for line in ended.stdout.splitlines()) == sorted(ids)


def test_missing_data_is_reported(tmp_path: Path) -> None:
    ended = run(tmp_path, "list")
    assert ended.returncode == 1
    assert ended.stderr.startswith("rendercast: There is no data file .rendercast/rendercast.sqlite3")
    assert list(tmp_path.iterdir()) == []


async def test_a_test_message_is_sent_once_and_the_response_reported(folder: Path) -> None:
    async with open_receiver(status(200), status(403)) as receiver:
        given = {
            "RENDERCAST_WEBHOOK_URL": receiver.url,
            "RENDERCAST_WEBHOOK_SECRET": SECRET,
            "RENDERCAST_WEBHOOK_NETWORKS": "127.0.0.1",
        }
        good = await asyncio.to_thread(run, folder, "send-test", **given)
        bad = await asyncio.to_thread(run, folder, "send-test", **given)
        rejected = await asyncio.to_thread(
            run, folder, "send-test", **{**given, "RENDERCAST_WEBHOOK_NETWORKS": "10.0.0.1"}
        )
        received = list(receiver.received)
    assert (good.returncode, good.stdout) == (0, "The test message was delivered: status 200.\n")
    assert (bad.returncode, bad.stderr) == (1, "rendercast: The test message was not delivered: status 403.\n")
    assert "127.0.0.1 is not allowed" in rejected.stderr
    assert [request.verified()["type"] for request in received] == ["webhook.test"] * 2
    assert "RENDERCAST_WEBHOOK_URL is not set" in run(folder, "send-test").stderr


@pytest.fixture(params=["python", "js"])
def receiver_of_the_docs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A receiver from the documentation: its URL and its process."""
    kind = request.param
    (code,) = re.findall(rf"```{kind}\n(.*?)```", DOCS, re.DOTALL)
    file = tmp_path / ("receiver.py" if kind == "python" else "receiver.mjs")
    file.write_text(code, encoding="utf-8")
    program = sys.executable if kind == "python" else NODE
    if program is None:
        pytest.skip("there is no Node")
    port = free_port()
    given = {**os.environ, "PORT": str(port), "WEBHOOK_SECRET": SECRET}
    process = subprocess.Popen([program, file], env=given, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        until = time.monotonic() + TEST_TIMEOUT_S
        while not answers(port):
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/", process
    finally:
        process.kill()
        process.communicate()


def answers(port: int) -> bool:
    try:
        httpx.get(f"http://127.0.0.1:{port}/", trust_env=False)
    except httpx.HTTPError:
        return False
    return True


def test_the_receivers_in_the_documentation_accept_signed_messages_only(
    folder: Path, receiver_of_the_docs: tuple[str, subprocess.Popen[str]]
) -> None:
    url, process = receiver_of_the_docs
    given = {"RENDERCAST_WEBHOOK_URL": url, "RENDERCAST_WEBHOOK_NETWORKS": "127.0.0.1"}
    other = SECRET[:-8] + "AAAAAAA="
    assert run(folder, "send-test", RENDERCAST_WEBHOOK_SECRET=SECRET, **given).returncode == 0
    rejected = run(folder, "send-test", RENDERCAST_WEBHOOK_SECRET=other, **given)
    assert rejected.stderr == "rendercast: The test message was not delivered: status 400.\n"
    assert run(folder, "send-test", RENDERCAST_WEBHOOK_SECRET=f"{other} {SECRET}", **given).returncode == 0
    assert httpx.post(url, content=b"{}", trust_env=False).status_code == 400
    assert process.stdout is not None
    assert [process.stdout.readline().split()[0] for _ in range(2)] == ["webhook.test"] * 2
