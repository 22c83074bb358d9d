"""Latency from `startRender` to its response, to the first progress, and to the finished video.

A `rendercast dev` in a separate process is called over HTTP and a WebSocket. The styles alternate.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

STYLES = ("FADE_IN", "TYPEWRITER", "SLIDE_UP", "SCALE")
RUNS = 5
START = """
mutation ($style: AnimationStyle!) {
  startRender(input: {animationProps: {
    text: "A caption of some length", style: $style, fontFamily: "Inter", fontSize: 72, color: "white",
    backgroundColor: "#103050", durationInFrames: 90}}) {
    __typename ... on StartRenderSuccess { render { id } }
  }
}
"""
WATCH = "subscription ($id: ID!) { renderProgress(renderId: $id) { status framesRendered } }"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        command = [str(Path(sys.executable).with_name("rendercast")), "dev", "--port", "0"]
        settings = {"RENDERCAST_DATA_DIR": folder, "RENDERCAST_QUOTA_LIMIT": "1000", "PATH": "/usr/bin:/bin"}
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=settings, text=True)
        try:
            assert server.stdout is not None
            url = server.stdout.readline().split()[1] + "graphql"
            asyncio.run(measure(url))
        finally:
            server.terminate()
            server.wait(10)


async def measure(url: str) -> None:
    waits: defaultdict[str, list[float]] = defaultdict(list)
    async with (
        httpx.AsyncClient() as http,
        connect(url.replace("http", "ws"), subprotocols=["graphql-transport-ws"]) as socket,  # type: ignore[list-item]
    ):
        await socket.send('{"type": "connection_init"}')
        await socket.recv()
        for run in range(RUNS + 1):
            for style in STYLES:
                waited = await measure_render(http, socket, url, style)
                if run:  # the first run is a warm-up
                    for name, seconds in waited.items():
                        waits[name].append(seconds)
    print(f"\n## startRender to the video: 90 frames at 720p, {len(STYLES) * RUNS} renders one at a time\n")
    print("| event | median ms | slowest ms |\n|---|---|---|")
    for name, seconds_list in waits.items():
        print(f"| {name} | {statistics.median(seconds_list) * 1000:.0f} | {max(seconds_list) * 1000:.0f} |")


async def measure_render(http: httpx.AsyncClient, socket: ClientConnection, url: str, style: str) -> dict[str, float]:
    started = time.perf_counter()
    response = await http.post(url, json={"query": START, "variables": {"style": style}})
    waited = {"response": time.perf_counter() - started}
    render_id = response.json()["data"]["startRender"]["render"]["id"]
    payload = {"query": WATCH, "variables": {"id": render_id}}
    await socket.send(json.dumps({"id": render_id, "type": "subscribe", "payload": payload}))
    while True:
        message: dict[str, Any] = json.loads(await socket.recv())
        if message["type"] == "complete":
            return waited
        render = message["payload"]["data"]["renderProgress"]
        if render["framesRendered"]:
            waited.setdefault("first progress", time.perf_counter() - started)
        if render["status"] == "COMPLETE":
            waited["COMPLETE"] = time.perf_counter() - started


if __name__ == "__main__":
    main()
