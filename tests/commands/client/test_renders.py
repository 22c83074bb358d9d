"""Commands for existing renders and the quota, wrong usage, servers and renders that are not found, as processes."""

import json
import os
import select
import time
from pathlib import Path

import pytest

from tests.commands.conftest import ENDLESS, Run, Spawn, objects
from tests.end_to_end.processes import Rendercast
from tests.end_to_end.slow import SlowRenderers
from tests.support.api_client import open_client, pauses
from tests.support.forked import ForkedProcess
from tests.support.server_process import TIMEOUT_S, free_port

pytestmark = pytest.mark.slow


@pytest.fixture
async def render_ids(server: Rendercast, slow_renderers: SlowRenderers) -> list[str]:
    """A render that is complete, and one that was cancelled."""
    async with open_client(server.url) as client:
        text = "A text that is \n" + "long " * 20
        slow_renderers.speed_up()
        complete = await client.start_render(text=text, durationInFrames=1)
        await client.until(complete, status="COMPLETE")
        slow_renderers.slow_down()
        return [complete, await client.start_render(text=text, durationInFrames=ENDLESS)]


def test_renders_are_listed_and_cancelled(run: Run, render_ids: list[str]) -> None:
    complete, endless = render_ids
    assert run("cancel", endless, "--json").returncode == 0
    rejected = run("cancel", complete)
    assert (rejected.returncode, rejected.stdout) == (1, b"")
    assert b"already ended" in rejected.stderr
    header, first, second = run("list").stdout.decode().splitlines()
    assert header.split() == ["id", "status", "progress", "created", "format", "size", "content"]
    assert first.split()[:2] == [endless, "cancelled"]
    assert second.split()[:4] == [complete, "complete", "100", "%"]
    assert second.endswith("…")
    assert "A text that is long long" in second
    listed = run("list", "--status", "cancelled", "--status", "failed", "--all", "--json").stdout.splitlines()
    assert [json.loads(line)["id"] for line in listed] == [endless]
    assert run("list", "--first", "1").stdout.decode().splitlines() == [header, first]
    assert json.loads(run("quota", "--json").stdout)["remaining"] == 998


def test_a_cancelled_render_is_retried_once(
    run: Run, spawn: Spawn, render_ids: list[str], slow_renderers: SlowRenderers
) -> None:
    complete, endless = render_ids
    assert run("cancel", endless).returncode == 0
    states = [json.loads(first_line(spawn("retry", endless, "--json"))) for _ in range(2)]
    assert states[0]["id"] == states[1]["id"] not in render_ids
    assert run("cancel", states[0]["id"]).returncode == 0
    slow_renderers.speed_up()
    rejected = run("retry", complete, "--json")
    assert (rejected.returncode, objects(rejected.stdout)[0]["error"]["code"]) == (1, "RENDER_NOT_RETRYABLE")


def first_line(process: ForkedProcess) -> bytes:
    assert process.stdout is not None
    assert select.select([process.stdout], [], [], TIMEOUT_S)[0]
    return process.stdout.readline()


def test_renders_that_have_ended_are_deleted(run: Run, render_ids: list[str]) -> None:
    complete, endless = render_ids
    ended = run("delete", complete, endless, "--json")
    assert (ended.returncode, objects(ended.stdout)[0]) == (1, {"renderId": complete})
    assert objects(ended.stdout)[1]["error"]["code"] == "RENDER_NOT_FINISHED"
    assert run("watch", complete).returncode == 1
    assert run("cancel", endless).returncode == 0
    assert run("delete", endless).stdout.decode() == f"{endless} is deleted.\n"


def test_an_output_is_opened_in_the_browser(run: Run, render_ids: list[str], tmp_path: Path) -> None:
    complete, endless = render_ids
    opener = tmp_path / "xdg-open"
    opened = tmp_path / "opened"
    opener.write_text(f'#!/bin/sh\nprintf %s "$1" > {opened}.part && mv {opened}.part {opened}\n')
    opener.chmod(0o755)
    shown = run("open", complete, PATH=f"{tmp_path}:{os.environ['PATH']}")
    for pause_s in pauses():
        if opened.exists():
            break
        time.sleep(pause_s)
    assert opened.read_text() == shown.stdout.decode().strip()
    assert complete in opened.read_text()
    assert run("open", endless).returncode == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["render"],
        ["render", "Hello", "--style", "spin"],
        ["render", "Hello", "--seconds", "1", "--frames", "30"],
        ["render", "Hello", "--seconds", "nan"],
        ["render", "Hello", "-o", "nowhere/hello.mp4"],
        ["render", "Hello", "-o", "hello.mp4", "--no-wait"],
        ["render", "Hello", "--token", "two words"],
        ["list", "--url", "127.0.0.1:8000"],
        ["list", "--url", "ftp://127.0.0.1"],
        ["list", "--url", "http://me:secret@127.0.0.1"],
        ["list", "--url", "http://[::1"],
        ["list", "--status", "lost"],
        ["list", "--first", "0"],
    ],
    ids=" ".join,
)
async def test_wrong_usage_is_reported_before_a_request(arguments: list[str], run: Run, server: Rendercast) -> None:
    async with open_client(server.url) as client:
        before = await client.quota_used()
        assert run(*arguments).returncode == 2
        assert await client.quota_used() == before


@pytest.mark.parametrize("command", [["render", "Hello"], ["list"], ["quota"], ["cancel", "x"], ["watch", "x"]])
def test_an_unreachable_server_has_its_own_exit_code(command: list[str], run: Run) -> None:
    ended = run(*command, "--json", url=f"http://127.0.0.1:{free_port()}")
    assert (ended.returncode, objects(ended.stdout)[0]["error"]["code"]) == (3, "UNREACHABLE")
    assert b"can't be reached: Connection refused." in ended.stderr
    assert b"Traceback" not in ended.stderr


def test_another_kind_of_server_is_detected(run: Run, server: Rendercast) -> None:
    ended = run("list", url=f"{server.url}/nowhere")
    assert ended.returncode == 3
    assert b"responded with status 404. It is not a Rendercast server." in ended.stderr
    assert run("list", url=f"{server.url}/graphql").returncode == 0


def test_an_unknown_render_is_reported(run: Run) -> None:
    for command in ("watch", "download", "cancel", "retry", "delete", "open"):
        ended = run(command, "01m817gzatj1v633w9kvyqtevh")
        assert ended.returncode == 1
        assert b"ender" in ended.stderr
