"""Three ways to render the clips of `benchmarks/remotion/` with the same browser and options."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Protocol

import httpx
from websockets.asyncio.client import connect

from benchmarks.process_tree import Meter

PROJECT = Path(__file__).with_name("remotion")
START = """
mutation ($id: ID!) {
  startRender(input: {composition: {id: $id, props: {}}}) {
    __typename ... on UserError { message } ... on StartRenderSuccess { render { id } }
  }
}
"""
WATCH = "subscription ($id: ID!) { renderProgress(renderId: $id) { status outputUrl error { code message } } }"
COMPOSITIONS = "{ compositions { id } }"
CLI_OPTIONS = ("--chrome-mode=headless-shell", "--image-format=jpeg", "--color-space=bt709", "--log=error")


class Renderer(Protocol):
    """A way to render."""

    def render(self, frames: int, output: Path, meter: Meter) -> None:
        """Render a clip of this length to a file, and let the meter know the process whose tree does it."""
        ...

    def close(self) -> None:
        """End all processes."""
        ...


class SeveralRenderer(Renderer, Protocol):
    """A way to render several clips at once."""

    def render_several(self, lengths: list[int], output: Path, meter: Meter) -> None:
        """Render several clips at once, one of them to `output`."""
        ...


class Template:
    """Remotion's template of a render server: a warm process, and new browsers for each request.

    `pages` is the number of pages that draw; without it, Remotion's default, half as many as cores.
    """

    def __init__(self, browser: str, *, pages: int | None = None) -> None:
        command = ["node", "template.mjs", browser, *([] if pages is None else [str(pages)])]
        self._process = subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._expect("ready")

    def render(self, frames: int, output: Path, meter: Meter) -> None:
        self.render_several([frames], output, meter)

    def render_several(self, lengths: list[int], output: Path, meter: Meter) -> None:
        meter.watch(self._process.pid)
        assert self._process.stdin is not None
        for number, frames in enumerate(lengths):
            path = output.with_stem(f"{number}") if number else output
            self._process.stdin.write(json.dumps({"id": clip(frames), "output": str(path)}) + "\n")
        self._process.stdin.flush()
        for _ in lengths:
            self._expect("done")

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()

    def _expect(self, expected: str) -> None:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line == f"{expected}\n", line


class CommandLine:
    """`npx remotion render` on the sources, which webpack caches."""

    def __init__(self, browser: str) -> None:
        self._browser = browser

    def render(self, frames: int, output: Path, meter: Meter) -> None:
        command = ["npx", "--no-install", "remotion", "render", "src/index.tsx", clip(frames), str(output)]
        options = [*CLI_OPTIONS, f"--browser-executable={self._browser}"]
        with subprocess.Popen([*command, *options], cwd=PROJECT, stdout=subprocess.DEVNULL) as process:
            meter.watch(process.pid)
            assert process.wait() == 0

    def close(self) -> None:
        pass


class Rendercast:
    """`rendercast dev`: the time from `startRender` to COMPLETE, with the poster and the stored state."""

    def __init__(self, browser: str, folder: Path, *, capacity: int) -> None:
        settings = {
            "PATH": "/usr/bin:/bin",
            "RENDERCAST_DATA_DIR": str(folder),
            "RENDERCAST_QUOTA_LIMIT": "1000",
            "RENDERCAST_WORKER_CAPACITY": str(capacity),
            "REMOTION_BROWSER": browser,
            "REMOTION_IMAGE_FORMAT": "jpeg",
        }
        command = [str(Path(sys.executable).with_name("rendercast")), "dev", "--port", "0", "--project", str(PROJECT)]
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=settings, text=True
        )
        assert self._process.stdout is not None
        self._url = self._process.stdout.readline().split()[1] + "graphql"
        asyncio.run(self._discovered())

    def render(self, frames: int, output: Path, meter: Meter) -> None:
        self.render_several([frames], output, meter)

    def render_several(self, lengths: list[int], output: Path, meter: Meter) -> None:
        meter.watch(self._process.pid)
        for video in asyncio.run(self._render_all(lengths)):
            output.write_bytes(video)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()

    async def _discovered(self) -> None:
        async with httpx.AsyncClient(trust_env=False) as http:
            while not (await http.post(self._url, json={"query": COMPOSITIONS})).json()["data"]["compositions"]:  # noqa: ASYNC110
                await asyncio.sleep(0.2)

    async def _render_all(self, lengths: list[int]) -> list[bytes]:
        async with httpx.AsyncClient(trust_env=False) as http, asyncio.TaskGroup() as tasks:
            renders = [tasks.create_task(self._render(http, frames)) for frames in lengths]
        return [render.result() for render in renders]

    async def _render(self, http: httpx.AsyncClient, frames: int) -> bytes:
        body = {"query": START, "variables": {"id": clip(frames)}}
        started = (await http.post(self._url, json=body)).json()["data"]["startRender"]
        payload = {"query": WATCH, "variables": {"id": started["render"]["id"]}}
        protocols: list[Any] = ["graphql-transport-ws"]
        async with connect(self._url.replace("http", "ws"), subprotocols=protocols) as socket:
            await socket.send('{"type": "connection_init"}')
            await socket.recv()
            await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": payload}))
            while True:
                render = json.loads(await socket.recv())["payload"]["data"]["renderProgress"]
                assert render["error"] is None, render
                if render["status"] == "COMPLETE":
                    return (await http.get(render["outputUrl"])).content


def clip(frames: int) -> str:
    """Return the id of the composition with this number of frames."""
    return f"Clip{frames}"
