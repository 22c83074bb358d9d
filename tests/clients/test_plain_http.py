"""HTTP clients that ask for an upgrade to HTTP/2 over plain HTTP, and others, start renders on a real server.

Each test is skipped without its program: Java 17 or newer (JAVA= or `java` on the path), curl, Node (NODE=).
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.clients.conftest import PROGRAM_TIMEOUT_S
from tests.support.api_client import PROPS, TEST_TIMEOUT_S

FOLDER = Path(__file__).parent
STARTED = '"__typename":"StartRenderSuccess"'
QUERY = "mutation ($input: StartRenderInput!) { startRender(input: $input) { __typename } }"
BODY = json.dumps({"query": QUERY, "variables": {"input": {"animationProps": {**PROPS, "durationInFrames": 1}}}})
NODE_SCRIPT = """
const [url, body] = process.argv.slice(1);
for (let number = 0; number < 2; number++) {
  const response = await fetch(url, { method: "POST", headers: { "Content-Type": "application/json" }, body });
  console.log(response.status, await response.text());
}
"""


def output_of(variable: str, name: str, *arguments: str) -> str:
    """Return the output of a program, which is named by the variable or is on the path; skip the test without it."""
    program = os.environ.get(variable) or shutil.which(name)
    if program is None:
        pytest.skip(f"needs {name} ({variable}= or on the path)")
    done = subprocess.run([program, *arguments], check=True, capture_output=True, text=True, timeout=PROGRAM_TIMEOUT_S)
    return done.stdout


def test_javas_client_starts_renders(url: str) -> None:
    output = output_of("JAVA", "java", str(FOLDER / "StartRender.java"), f"{url}/graphql", BODY)
    assert output.count(f'200 HTTP_1_1 {{"data":{{"startRender":{{{STARTED}') == 2


def test_curl_with_http_2_starts_renders(url: str) -> None:
    request = ("-H", "Content-Type: application/json", "--data", BODY, f"{url}/graphql")
    options = ("-q", "-sS", "--http2", "--noproxy", "*", "-w", "%{http_code} %{num_connects}\n")
    output = output_of("CURL", "curl", *options, *request, f"{url}/graphql")
    assert output.count(STARTED) == 2
    assert output.endswith("200 0\n")  # on the same connection


def test_nodes_fetch_starts_renders(url: str) -> None:
    output = output_of("NODE", "node", "--input-type=module", "-e", NODE_SCRIPT, f"{url}/graphql", BODY)
    assert output.count(f'200 {{"data":{{"startRender":{{{STARTED}') == 2


def test_httpx_starts_renders(url: str) -> None:
    with httpx.Client(trust_env=False, timeout=TEST_TIMEOUT_S) as client:
        for _ in range(2):
            response = client.post(f"{url}/graphql", content=BODY, headers={"Content-Type": "application/json"})
            assert (response.status_code, STARTED in response.text) == (200, True)
