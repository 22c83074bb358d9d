"""`rendercast render`, `watch` and `download` as processes, with a real server."""

import asyncio
import os
import pty
import signal
from pathlib import Path
from typing import Any

import av
import httpx
import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from tests.commands.conftest import ENDLESS, SMALL, Run, Spawn, environment, objects
from tests.end_to_end.conftest import Start
from tests.end_to_end.processes import COMMAND, Rendercast, Running
from tests.end_to_end.production import Site
from tests.end_to_end.slow import SlowRenderers
from tests.support import tokens
from tests.support.api_client import GET, TEST_TIMEOUT_S, open_client
from tests.support.forked import ForkedProcess
from tests.support.server_process import free_port

pytestmark = pytest.mark.slow

LONG = 600  # frames: ten seconds or more with slow renderers


def frames_of(path: Path) -> int:
    with av.open(str(path)) as video:
        return sum(1 for _ in video.decode(video=0))


def wait_for_line(process: ForkedProcess, *, containing: bytes) -> str:
    """Return the first line of standard error that contains this text."""
    assert process.stderr is not None
    return next(line.decode() for line in process.stderr if containing in line)


async def stored(url: str, render_id: str) -> dict[str, Any]:
    async with open_client(url) as client:
        return dict(await client.execute(GET, id=render_id))


async def newest(url: str) -> dict[str, Any]:
    async with open_client(url) as client:
        return (await client.list_renders(first=1))[0]


def test_a_video_is_saved_with_the_requested_frames(run: Run, tmp_path: Path) -> None:
    ended = run("render", "Hello", "--style", "typewriter", "--frames", "7", "-o", "hello.mp4")
    assert (ended.returncode, ended.stdout) == (0, b""), ended.stderr
    assert b"Saved hello.mp4: 7 frames" in ended.stderr
    assert frames_of(tmp_path / "hello.mp4") == 7
    assert [path.name for path in tmp_path.iterdir()] == ["hello.mp4"]


def test_without_a_file_standard_output_gets_only_the_url(run: Run) -> None:
    ended = run("render", "Hello", "--seconds", "0.1", "--quiet")
    assert (ended.returncode, ended.stderr) == (0, b"")
    video = httpx.get(ended.stdout.decode().strip(), trust_env=False)
    assert video.headers["content-type"] == "video/mp4"


def test_all_options_reach_the_server(run: Run) -> None:
    options = ["--style", "scale", "--font", "Roboto", "--size", "33.5", "--color", "red", "--background", "#123456"]
    options += ["--weight", "700", "--italic"]
    ended = run("render", "-", *options, "--seconds", "0.2", "--json", text="Two\nlines\n")
    assert ended.returncode == 0, ended.stderr
    assert objects(ended.stdout)[-1]["animationProps"] == {
        "text": "Two\nlines",
        "style": "SCALE",
        "fontFamily": "Roboto",
        "fontSize": 33.5,
        "fontWeight": 700,
        "italic": True,
        "color": "red",
        "backgroundColor": "#123456",
        "durationInFrames": 6,
        "fps": 30,
    }


def test_json_writes_each_state_and_the_final_one_last(run: Run) -> None:
    ended = run("render", "Hello", "--frames", "3", "--json")
    assert (ended.returncode, ended.stderr) == (0, b"")
    states = objects(ended.stdout)
    revisions = [state["revision"] for state in states]
    assert revisions == sorted(set(revisions))
    assert (states[-1]["status"], states[-1]["totalFrames"]) == ("COMPLETE", 3)
    assert all((state["status"] != "COMPLETE", state["posterUrl"]) == (True, None) for state in states[:-1])
    assert httpx.get(states[-1]["posterUrl"], trust_env=False).headers["content-type"] == "image/jpeg"


def test_standard_output_gets_a_whole_video(run: Run, tmp_path: Path) -> None:
    ended = run("render", "Hello", "--frames", "4", "-o", "-")
    assert ended.returncode == 0, ended.stderr
    (tmp_path / "piped.mp4").write_bytes(ended.stdout)
    assert frames_of(tmp_path / "piped.mp4") == 4


def test_an_existing_file_is_replaced_only_by_a_complete_video(run: Run, tmp_path: Path) -> None:
    target, link = tmp_path / "hello.mp4", tmp_path / "link.mp4"
    target.write_bytes(b"mine")
    target.chmod(0o640)
    link.symlink_to(target)
    assert run("render", "Hello", "--size", "-1", "-o", "link.mp4").returncode == 1
    assert target.read_bytes() == b"mine"
    assert run("render", "Hello", "--frames", "2", "-o", "link.mp4").returncode == 0
    assert (frames_of(target), target.stat().st_mode & 0o777, link.is_symlink()) == (2, 0o640, True)
    assert {path.name for path in tmp_path.iterdir()} == {"hello.mp4", "link.mp4"}


def test_in_a_folder_the_file_is_named_by_the_id(run: Run, tmp_path: Path) -> None:
    started = run("render", "Hello", "--frames", "2", "--no-wait")
    render_id = started.stdout.decode().strip()
    (tmp_path / "videos").mkdir()
    assert run("watch", render_id, "-o", "videos").returncode == 0
    assert run("download", render_id).returncode == 0
    assert frames_of(tmp_path / f"{render_id}.mp4") == frames_of(tmp_path / "videos" / f"{render_id}.mp4") == 2


def test_a_device_is_written_to_and_not_replaced(run: Run) -> None:
    assert run("render", "Hello", "--frames", "2", "-o", "/dev/null").returncode == 0
    assert not Path("/dev/null").is_file()


def test_a_full_disk_is_reported_with_a_hint(run: Run) -> None:
    ended = run("render", "Hello", "--frames", "2", "-o", "/dev/full")
    assert ended.returncode == 1
    assert b"No space left on device. Download it again with: rendercast download " in ended.stderr


def test_invalid_props_are_reported_with_the_servers_messages(run: Run) -> None:
    ended = run("render", "Hello", "--size", "-1", "--color", "no colour", "--json")
    assert ended.returncode == 1
    (result,) = objects(ended.stdout)
    assert result["error"]["code"] == "INVALID_ANIMATION"
    assert {problem["field"] for problem in result["error"]["problems"]} == {"fontSize", "color"}
    for problem in result["error"]["problems"]:
        assert problem["message"].encode() in ended.stderr


def test_an_exhausted_quota_has_its_own_exit_code(run: Run, start: Start) -> None:
    url = start(**SMALL, quota_limit=1).url
    assert run("render", "Hello", "--frames", "1", url=url).returncode == 0
    ended = run("render", "Hello", "--frames", "1", "--json", url=url)
    assert ended.returncode == 4
    assert b"quota exceeded" in ended.stderr
    (result,) = objects(ended.stdout)
    assert (result["error"]["code"], result["error"]["quota"]["remaining"]) == ("RENDER_QUOTA_EXCEEDED", 0)
    assert run("quota", url=url).stdout.startswith(b"0 of 1 renders left until ")


@pytest.mark.usefixtures("slow_renderers")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_cancels_the_render(
    number: signal.Signals, code: int, spawn: Spawn, server: Rendercast, tmp_path: Path
) -> None:
    process = spawn("render", "Hello", "--frames", str(ENDLESS), "-o", "hello.mp4")
    render_id = wait_for_line(process, containing=b"rendering").split()[0]
    process.send_signal(number)
    _, stderr = process.communicate(timeout=TEST_TIMEOUT_S)
    assert (process.returncode, b"Traceback" in stderr) == (code, False), stderr
    assert b"The render is cancelled." in stderr
    assert asyncio.run(stored(server.url, render_id))["status"] == "CANCELLED"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("slow_renderers")
def test_a_second_signal_exits_without_waiting(spawn: Spawn, start: Start) -> None:
    server = start(**SMALL)
    process = spawn("render", "Hello", "--frames", str(ENDLESS), url=server.url)
    wait_for_line(process, containing=b"rendering")
    server.process.send_signal(signal.SIGSTOP)
    process.send_signal(signal.SIGINT)
    wait_for_line(process, containing=b"Cancelling")
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=TEST_TIMEOUT_S)
    server.process.send_signal(signal.SIGCONT)
    assert (process.returncode, b"may still be running" in stderr) == (130, False)


@pytest.mark.usefixtures("slow_renderers")
async def test_the_end_of_watch_does_not_end_the_render(run: Run, spawn: Spawn, server: Rendercast) -> None:
    render_id = run("render", "Hello", "--frames", str(ENDLESS), "--no-wait").stdout.decode().strip()
    late = run("watch", render_id, "--timeout", "1", "--json")
    assert (late.returncode, objects(late.stdout)[-1]["error"]["code"]) == (3, "NOT_IN_TIME")
    process = spawn("watch", render_id)
    wait_for_line(process, containing=b"rendering")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=TEST_TIMEOUT_S)
    assert process.returncode == 130
    assert (await stored(server.url, render_id))["status"] == "RENDERING"
    cancelled = run("cancel", render_id)
    assert (cancelled.returncode, cancelled.stdout) == (0, f"{render_id} is cancelled.\n".encode())
    assert run("cancel", render_id).returncode == 0
    ended = run("watch", render_id)
    assert (ended.returncode, b"The render is cancelled." in ended.stderr) == (1, True)


async def test_a_render_is_followed_after_the_server_was_killed_and_restarted(
    spawn: Spawn, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, slow_renderers: SlowRenderers
) -> None:
    folder, port = tmp_path_factory.mktemp("restarted"), free_port()
    command = [COMMAND, "dev", "--port", str(port)]
    settings = {**SMALL, **slow_renderers.settings}
    first = Running(folder, command, settings)
    process = spawn("render", "Hello", "--frames", str(LONG), "-o", "hello.mp4", url=first.url)
    render_id = wait_for_line(process, containing=b"rendering").split()[0]
    first.end(signal.SIGKILL)
    slow_renderers.speed_up()
    second = Running(folder, command, settings)
    try:
        _, stderr = await asyncio.to_thread(process.communicate, timeout=TEST_TIMEOUT_S)
        assert process.returncode == 0, stderr
        assert (await stored(second.url, render_id))["attempt"] == 2
    finally:
        second.close()
    assert frames_of(tmp_path / "hello.mp4") == LONG


async def test_a_start_whose_response_is_lost_is_retried_and_renders_once(run: Run, server: Rendercast) -> None:
    requests: list[bytes] = []

    async def drop_first_response(request: web.Request) -> web.Response:
        body = await request.read()
        requests.append(body)
        async with (
            ClientSession() as http,
            http.post(f"{server.url}/graphql", data=body, headers={"Content-Type": "application/json"}) as response,
        ):
            text = await response.read()
        if len(requests) == 1:
            assert request.transport is not None
            request.transport.abort()
        return web.Response(body=text, content_type="application/json")

    app = web.Application()
    app.router.add_post("/graphql", drop_first_response)
    async with TestServer(app) as proxy, open_client(server.url) as client:
        before = await client.quota_used()
        url = str(proxy.make_url(""))
        ended = await asyncio.to_thread(run, "render", "Hello", "--frames", "1", "--no-wait", url=url)
        assert (ended.returncode, len(requests), requests[0]) == (0, 2, requests[1])
        assert await client.quota_used() == before + 1
        assert (await newest(server.url))["id"] == ended.stdout.decode().strip()


def test_the_same_key_gives_the_same_render(run: Run) -> None:
    command = ["render", "Hello", "--frames", "1", "--no-wait", "--idempotency-key"]
    ids = [run(*command, key).stdout for key in ("a", "a", "b")]
    assert ids[0] == ids[1] != ids[2]


def test_a_terminal_gets_a_progress_bar_and_a_pipe_only_the_url(server: Rendercast, tmp_path: Path) -> None:
    controller, terminal = pty.openpty()
    with os.fdopen(terminal, "wb", buffering=0) as stderr:
        arguments = ["render", "Hello", "--frames", "3"]
        process = ForkedProcess(arguments, cwd=tmp_path, env=environment(server.url, TERM="xterm"), stderr=stderr)
    out, _ = process.communicate(timeout=TEST_TIMEOUT_S)
    shown = b""
    try:
        while piece := os.read(controller, 65_536):
            shown += piece
    except OSError:  # Linux raises it at the end
        pass
    os.close(controller)
    assert process.returncode == 0
    assert b"100%" in shown
    assert b"3/3 frames" in shown
    assert out.startswith(b"http")
    assert out.count(b"\n") == 1


async def test_a_remote_server_needs_a_token(run: Run, site: Site, tmp_path: Path) -> None:
    (serving,) = site.start("serve --with-worker --port 0")
    anonymous = run("render", "Hello", "--frames", "2", "--json", url=serving.url)
    assert (anonymous.returncode, objects(anonymous.stdout)[0]["error"]["code"]) == (1, "UNAUTHENTICATED")
    assert b"Set RENDERCAST_TOKEN" in anonymous.stderr
    token = tokens.token_of("ann")
    ended = run("render", "Hello", "--frames", "2", "-o", "hello.mp4", url=serving.url, RENDERCAST_TOKEN=token)
    assert ended.returncode == 0, ended.stderr
    assert frames_of(tmp_path / "hello.mp4") == 2
    assert token.encode() not in ended.stderr
    assert len(run("list", "--json", url=serving.url, RENDERCAST_TOKEN=token).stdout.splitlines()) == 1
    expired = tokens.token_of("ann", exp=1)
    assert run("list", url=serving.url, RENDERCAST_TOKEN=expired).returncode == 1
    bob = run("list", "--token", tokens.token_of("bob"), url=serving.url)
    assert (bob.returncode, bob.stdout) == (0, b"")
