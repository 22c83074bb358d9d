"""@rendercast/client in Node, Bun and Deno without other packages. Each process must end by itself."""

import asyncio
from asyncio.subprocess import PIPE
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.browser.sites import FakeSite
from tests.support.waiting import wait_until
from tests.typescript_client.package import NEEDS_NODE, NODE, TOOL_TIMEOUT_S
from tests.typescript_client.site import open_site

FOLDER = Path(__file__).parent
RUNTIME = FOLDER / "runtime.mjs"
PACKAGES = FOLDER / "node_modules"

pytestmark = [
    pytest.mark.slow,
    NEEDS_NODE,
    pytest.mark.skipif(not PACKAGES.exists(), reason="needs Bun and Deno (`npm ci --prefix tests/typescript_client`)"),
]


def command(runtime: str) -> Sequence[str | Path]:
    if runtime == "bun":  # its launcher works only if the package was installed with scripts
        return [next(PACKAGES.glob("@oven/*/bin/bun*"))]
    return [NODE] if runtime == "node" else [PACKAGES / ".bin" / "deno", "run", "--allow-net", "--allow-read"]


async def finish_all(site: FakeSite) -> None:
    """Finish each render that is started."""
    finished = 0
    while True:
        await wait_until(lambda: len(site.backend.starts) > finished)  # noqa: B023  # called before it changes
        site.backend.finish(site.backend.starts[finished])
        finished += 1


@pytest.mark.parametrize("runtime", ["node", "bun", "deno"])
async def test_a_runtime_starts_and_watches_renders_over_each_transport_that_it_has(
    package: Path, tmp_path: Path, runtime: str
) -> None:
    async with open_site(tmp_path) as site:
        finishing = asyncio.create_task(finish_all(site))
        arguments = (RUNTIME, package / "dist" / "index.js", site.url)
        process = await asyncio.create_subprocess_exec(*command(runtime), *arguments, stdout=PIPE, stderr=PIPE)
        try:
            async with asyncio.timeout(TOOL_TIMEOUT_S):
                output, errors = await process.communicate()
        finally:
            finishing.cancel()
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0, errors.decode()
        lines = output.decode().splitlines()
        if runtime != "node" or len(lines) > 2:  # Node 20 has no `WebSocket`
            assert lines.pop(0) == "websocket COMPLETE"
        assert lines == ["sse COMPLETE", "polling COMPLETE"]
