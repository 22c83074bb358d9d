"""JavaScript GraphQL clients with a real server, each in its own Node process.

The tests are skipped without Node or the npm packages of this folder. Set NODE=/usr/bin/node to run them in any case.
"""

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.clients.conftest import PROGRAM_TIMEOUT_S, SMALL
from tests.end_to_end.processes import COMMAND, Running, wait
from tests.end_to_end.slow import SlowRenderers
from tests.support import tokens
from tests.support.server_process import free_port

FOLDER = Path(__file__).parent
NODE = os.environ.get("NODE") or shutil.which("node") or ""

pytestmark = pytest.mark.skipif(
    "NODE" not in os.environ and not (NODE and (FOLDER / "node_modules").exists()),
    reason="needs Node (NODE= or `node` on the path) and tests/clients/node_modules (`npm ci --prefix tests/clients`)",
)


Run = Callable[..., None]


@pytest.fixture
def run(renderers: SlowRenderers) -> Run:
    """Run a script of this folder. Its output is shown when the test fails."""

    def run(script: str, *arguments: str) -> None:
        renderers.slow_down()  # until the script has seen progress
        environment = {**os.environ, **{name: str(value) for name, value in renderers.settings.items()}}
        command = [NODE, script, *arguments]
        subprocess.run(command, cwd=FOLDER, env=environment, check=True, timeout=PROGRAM_TIMEOUT_S)

    return run


def test_the_server_passes_all_graphql_over_http_audits(run: Run, url: str) -> None:
    run("graphql-http.mjs", url)


@pytest.mark.parametrize(
    "client", ["apollo", "apollo-multipart", "graphql-sse", "graphql-ws", "urql", "urql-fetch", "urql-sse"]
)
def test_a_client_starts_and_watches_a_render_and_fetches_its_video(run: Run, client: str, url: str) -> None:
    run(f"{client}.mjs", url)


def test_relay_compiles_for_the_schema_and_does_the_same(run: Run, url: str) -> None:
    run("node_modules/relay-compiler/cli.js", "--noWatchman")
    run("relay.mjs", url)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("client", ["apollo", "apollo-multipart", "graphql-sse", "graphql-ws"])
async def test_a_client_with_a_token_does_the_same(run: Run, client: str, guarded_url: str) -> None:
    await asyncio.to_thread(run, f"{client}.mjs", guarded_url, tokens.token_of("ann"))


@pytest.mark.asyncio(loop_scope="module")
async def test_a_client_whose_token_expires_reconnects_with_the_next(run: Run, guarded_url: str) -> None:
    await asyncio.to_thread(run, "graphql-ws-expiry.mjs", guarded_url, tokens.token_of("ann"), tokens.SECRET)


@pytest.mark.parametrize(("client_name", "stop"), [("graphql-ws", signal.SIGKILL), ("graphql-sse", signal.SIGTERM)])
def test_a_client_resumes_after_the_server_has_ended_and_restarted(
    tmp_path: Path, renderers: SlowRenderers, client_name: str, stop: signal.Signals
) -> None:
    renderers.slow_down()  # until the client has seen progress after the restart
    settings = {**SMALL, **renderers.settings}
    server = [COMMAND, "dev", "--port", str(free_port())]  # the kernel assigns it to nothing else meanwhile
    elsewhere = tmp_path / "client"
    elsewhere.mkdir()
    with closing(Running(tmp_path, server, settings)) as first:
        command = [NODE, str(FOLDER / f"{client_name}-restart.mjs"), first.url]
        with closing(Running(elsewhere, command, renderers.settings)) as client:
            first.end(stop)
            with closing(Running(tmp_path, server, settings)):
                assert wait(client.process) == 0, client.log
