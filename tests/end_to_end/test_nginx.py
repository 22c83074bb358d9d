"""Clients behind nginx: HTTP/2 in front, buffering, a read timeout of 10 s, a path that it passes on or removes.

The tests are skipped without nginx (NGINX= or `nginx` on the path) and curl.
"""

import asyncio
import json
import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.end_to_end.processes import COMMAND, Running, assert_no_traceback
from tests.support.api_client import PROPS
from tests.support.api_stream import Stream, open_socket
from tests.support.certificates import Authority
from tests.support.server_process import free_port

NGINX = os.environ.get("NGINX") or shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin") or ""
CURL = shutil.which("curl") or ""
PREFIX = "/tools/cast"
READ_TIMEOUT_S = 10
TIMEOUT_S = 60
KEEP_ALIVES = 3  # the first at once, the others within 14 s, which is more than `READ_TIMEOUT_S`
STARTED = "... on StartRenderSuccess { render { id } }"
START = f"mutation ($input: StartRenderInput!) {{ startRender(input: $input) {{ {STARTED} }} }}"
PROGRESS = "subscription ($id: ID!) { renderProgress(renderId: $id) { id status outputUrl } }"
UPDATES = "subscription { renderUpdates { id status } }"

pytestmark = pytest.mark.skipif(
    "NGINX" not in os.environ and not (NGINX and CURL), reason="needs nginx (NGINX= or `nginx` on the path) and curl"
)

# The defaults of nginx buffer responses. Only the headers for WebSockets are not a default.
CONFIG = """
daemon off;
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
  ssl_certificate {certificate};
  ssl_certificate_key {certificate};
  proxy_http_version 1.1;
  proxy_buffering on;
  proxy_read_timeout {read_timeout}s;
  proxy_set_header Host $http_host;
  proxy_set_header Upgrade $http_upgrade;
  proxy_set_header Connection $connection_upgrade;
  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
  proxy_set_header X-Forwarded-Proto $scheme;
  server {{
    listen 127.0.0.1:{passing_port} ssl http2;
    location {prefix}/ {{ proxy_pass http://127.0.0.1:{port}; }}
  }}
  server {{
    listen 127.0.0.1:{removing_port} ssl http2;
    location {prefix}/ {{ proxy_pass http://127.0.0.1:{port}/; }}
  }}
}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The server's URLs through nginx: by its public URL, whose path is passed on, and by one whose path is removed."""

    urls: tuple[str, str]
    authority: Authority

    async def post(self, url: str, query: str, **variables: object) -> Any:
        """Return the data of a request over HTTP/2."""
        (result, version), code = await self._curl(url, "application/json", query, variables)
        assert (code, version) == (0, "2")
        return json.loads(result)["data"]

    async def watch(self, url: str, query: str, **variables: object) -> list[str]:
        """Return all lines of the event stream."""
        (*lines, version), code = await self._curl(url, "text/event-stream", query, variables)
        assert (code, version) == (0, "2"), lines
        return lines

    @asynccontextmanager
    async def open_events(self, url: str, query: str) -> AsyncIterator[asyncio.StreamReader]:
        """Yield the lines of an event stream."""
        process = await self._spawn(url, "text/event-stream", query, {})
        assert process.stdout is not None
        yield process.stdout
        process.kill()
        await process.wait()

    async def _curl(
        self, url: str, accept: str, query: str, variables: dict[str, object]
    ) -> tuple[list[str], int | None]:
        process = await self._spawn(url, accept, query, variables)
        async with asyncio.timeout(TIMEOUT_S):
            output, _ = await process.communicate()
        return output.decode().splitlines(), process.returncode

    async def _spawn(
        self, url: str, accept: str, query: str, variables: dict[str, object]
    ) -> asyncio.subprocess.Process:
        body = json.dumps({"query": query, "variables": variables})
        headers = ("-H", f"Accept: {accept}", "-H", "Content-Type: application/json")
        options = ("-q", "-sS", "-N", "--http2", "--noproxy", "*", "--cacert", str(self.authority.certificate))
        written = ("-w", "\n%{http_version}\n", "--data", body)
        return await asyncio.create_subprocess_exec(
            CURL, *options, *headers, *written, f"{url}/graphql", stdout=subprocess.PIPE
        )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("nginx")
    authority.context("localhost")  # creates the certificate
    port, passing_port, removing_port = free_port(), free_port(), free_port()
    urls = (f"https://localhost:{passing_port}{PREFIX}", f"https://localhost:{removing_port}{PREFIX}")
    config = folder / "nginx.conf"
    config.write_text(
        CONFIG.format(
            folder=folder,
            certificate=authority.certificate.with_name("localhost.pem"),
            read_timeout=READ_TIMEOUT_S,
            prefix=PREFIX,
            port=port,
            passing_port=passing_port,
            removing_port=removing_port,
        )
    )
    settings = {"public_url": f"{urls[0]}/", "text_width": 64, "text_height": 64}
    server = folder / "server"
    server.mkdir()
    with closing(Running(server, [COMMAND, "dev", "--port", str(port)], settings)) as rendercast:
        assert f"{urls[0]}/ " in rendercast.first_line
        nginx = subprocess.Popen([NGINX, "-p", str(folder), "-c", str(config), "-e", "stderr"], process_group=0)
        try:
            for listening_port in (passing_port, removing_port):
                _wait_for_connection(listening_port)
            yield Site(urls=urls, authority=authority)
        finally:
            nginx.terminate()
            assert nginx.wait(TIMEOUT_S) == 0
    assert_no_traceback(rendercast.log)


def _wait_for_connection(port: int) -> None:
    ends_at = time.monotonic() + TIMEOUT_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S).close()
        except ConnectionRefusedError:
            assert time.monotonic() < ends_at, "nginx does not listen"
            time.sleep(0.02)
        else:
            return


async def test_renders_are_watched_to_their_end_although_nothing_changes_for_longer_than_the_read_timeout(
    site: Site,
) -> None:
    """Streams and WebSockets are idle first; then a render is started, watched and downloaded."""
    trusting = ssl.create_default_context(cafile=site.authority.certificate)
    async with AsyncExitStack() as stack:
        events = [await stack.enter_async_context(site.open_events(url, UPDATES)) for url in site.urls]
        sockets = [f"{url.replace('https', 'wss')}/graphql" for url in site.urls]
        streams = [Stream(await stack.enter_async_context(open_socket(url, ssl=trusting))) for url in sockets]
        for stream in streams:
            await stream.send(type="connection_init")
            assert await stream.receive() == {"type": "connection_ack"}
        await asyncio.gather(*(_read_keep_alives(each) for each in events))
        for url, stream, lines in zip(site.urls, streams, events, strict=True):
            started = await site.post(url, START, input={"animationProps": {**PROPS, "durationInFrames": 1}})
            render_id = started["startRender"]["render"]["id"]
            watched = await site.watch(url, PROGRESS, id=render_id)
            assert "event: complete" in watched
            await _read_until(lines, f'"{render_id}","status":"COMPLETE"')
            await stream.subscribe(PROGRESS, id=render_id)
            (render,) = await stream.rest()
            assert render["outputUrl"].startswith(f"{site.urls[0]}/files/")
            async with httpx.AsyncClient(verify=trusting, trust_env=False, timeout=TIMEOUT_S) as http:
                assert (await http.get(render["outputUrl"])).content[4:8] == b"ftyp"


@pytest.mark.parametrize("number", [0, 1], ids=["passed on", "removed"])
async def test_the_pages_and_the_command_line_work_under_the_path(site: Site, tmp_path: Path, number: int) -> None:
    url = site.urls[number]
    trusting = ssl.create_default_context(cafile=site.authority.certificate)
    options: dict[str, Any] = {"trust_env": False, "follow_redirects": True, "timeout": TIMEOUT_S}
    async with httpx.AsyncClient(verify=trusting, **options) as http:
        studio = await http.get(f"{url}/", headers={"Accept": "text/html"})
        script = studio.text.partition('type="module" src="')[2].partition('"')[0]
        assert (await http.get(studio.url.join(script))).headers["content-type"].startswith("text/javascript")
    given = {"RENDERCAST_URL": url, "SSL_CERT_FILE": str(site.authority.certificate), "NO_PROXY": "*"}
    command = [COMMAND, "render", "Hi", "--quiet", "-o", str(tmp_path / "hi.mp4")]
    await asyncio.to_thread(
        subprocess.run, command, env={**os.environ, **given}, cwd=tmp_path, check=True, timeout=TIMEOUT_S
    )
    assert (tmp_path / "hi.mp4").read_bytes()[4:8] == b"ftyp"


async def _read_keep_alives(lines: asyncio.StreamReader) -> None:
    for _ in range(KEEP_ALIVES):
        await _read_until(lines, ":")


async def _read_until(lines: asyncio.StreamReader, start_or_part: str) -> None:
    """Read a line that is a comment, or that contains the text."""
    async with asyncio.timeout(TIMEOUT_S):
        while line := (await lines.readline()).decode():
            if line.startswith(":") if start_or_part == ":" else start_or_part in line:
                return
    raise AssertionError("the stream has ended")
