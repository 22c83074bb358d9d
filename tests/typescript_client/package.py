"""The package @rendercast/client: its folder, builds of it, and the tools that check it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from services.settings import CHECKOUT

PACKAGE = CHECKOUT / "clients" / "typescript"
TOOLS = CHECKOUT / "web" / "tools" / "node_modules"
WEBSOCKET = CHECKOUT / "tests" / "clients" / "node_modules" / "ws" / "wrapper.mjs"  # Node 20 has no `WebSocket`
TOOL_TIMEOUT_S = 150.0  # the tools take some seconds
NODE = os.environ.get("NODE") or shutil.which("node") or ""

NEEDS_NODE = pytest.mark.skipif(
    "NODE" not in os.environ and not (NODE and (TOOLS / "esbuild").exists() and WEBSOCKET.exists()),
    reason="needs Node (NODE= or `node` on the path), web/tools/node_modules and tests/clients/node_modules "
    "(`npm ci --prefix` each folder)",
)


def run(program: str, *arguments: str | Path, cwd: Path) -> str:
    """Run a tool of web/tools, Node or npm, and return its output. Fails if its exit code is not 0."""
    environment = {**os.environ, "PATH": f"{Path(NODE).parent}{os.pathsep}{os.environ['PATH']}"}
    command = [program if program in {NODE, "npm"} else TOOLS / ".bin" / program, *arguments]
    result = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=TOOL_TIMEOUT_S
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def build(folder: Path) -> Path:
    """Build the package in a copy of its folder, and return that."""
    package = folder / "client"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("node_modules", "dist"))
    run("tsc", "--project", package, cwd=folder)
    return package
