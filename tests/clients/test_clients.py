"""The GraphQL clients of frontends do their users' work on a real server, each in a Node of its own.

Skipped without Node or the npm packages of this folder; where they must run, name it: NODE=/usr/bin/node.
"""

import asyncio
import os
import shutil
import signal
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.end_to_end.documents import blocks
from tests.end_to_end.processes import COMMAND, Rendercast, Running, wait
from tests.support import tokens
from tests.support.api_client import PATIENCE_S

FOLDER = Path(__file__).parent
NODE = os.environ.get("NODE") or shutil.which("node") or ""

pytestmark = pytest.mark.skipif(
    "NODE" not in os.environ and not (NODE and (FOLDER / "node_modules").exists()),
    reason="needs Node (NODE= or `node` on the path) and tests/clients/node_modules (`npm ci --prefix tests/clients`)",
)


README_SHOWS = """
import {{ start }} from "./job.mjs";
import {{ INPUT }} from "./operations.mjs";
import WebSocket from "ws";
globalThis.WebSocket ??= WebSocket; // which browsers have
const id = await start(INPUT);
const bar = {{}};
{shown}
if (bar.value !== 100) throw new Error(`the bar is at ${{bar.value}}`);
"""


def run(script: str, *arguments: str) -> None:
    """Run a script of this folder to its good end. What it says is shown when the test fails."""
    subprocess.run([NODE, script, *arguments], cwd=FOLDER, check=True, timeout=PATIENCE_S)


def test_all_audits_of_graphql_over_http_pass(url: str) -> None:
    run("graphql-http.mjs", url)


def test_what_the_readme_shows_moves_a_bar_to_its_end(url: str) -> None:
    (shown,) = (block.text for block in blocks() if (block.page, block.language) == ("README.md", "js"))
    script = README_SHOWS.format(shown=shown.replace("ws://127.0.0.1:8000", url.replace("http", "ws")))
    command = [NODE, "--input-type=module", "-", url]
    subprocess.run(command, input=script.encode(), cwd=FOLDER, check=True, timeout=PATIENCE_S)


@pytest.mark.parametrize("client", ["apollo", "graphql-ws", "urql"])
def test_a_client_starts_a_render_watches_it_and_fetches_its_video(client: str, url: str) -> None:
    run(f"{client}.mjs", url)


def test_relay_compiles_for_our_schema_and_does_the_same(url: str) -> None:
    run("node_modules/relay-compiler/cli.js", "--noWatchman")
    run("relay.mjs", url)


@pytest.mark.parametrize("client", ["apollo", "graphql-ws"])
async def test_a_client_with_a_token_does_the_same(client: str, guarded_url: str) -> None:
    await asyncio.to_thread(run, f"{client}.mjs", guarded_url, tokens.token_of("ann"))


async def test_a_client_whose_token_expires_comes_back_with_the_next(guarded_url: str) -> None:
    short = tokens.token_of("ann", exp=int(time.time()) + 2)
    await asyncio.to_thread(run, "graphql-ws-expiry.mjs", guarded_url, tokens.token_of("ann"), short)


def test_a_client_watches_on_after_the_server_was_killed_and_started_again(tmp_path: Path) -> None:
    elsewhere = tmp_path / "client"
    elsewhere.mkdir()
    with (
        closing(Rendercast(tmp_path)) as first,
        closing(Running(elsewhere, [NODE, str(FOLDER / "graphql-ws-restart.mjs"), first.url], {})) as client,
    ):
        assert first.end(signal.SIGKILL) == -signal.SIGKILL
        port = first.url.rpartition(":")[2]
        with closing(Running(tmp_path, [COMMAND, "dev", "--port", port], {})):
            assert wait(client.process) == 0, client.log
