"""The npm package @rendercast/remotion, as the tools for packages see it."""

from pathlib import Path

import pytest

from tests.remotion_helper.projects import HELPER, pack
from tests.typescript_client.package import NEEDS_NODE, run

pytestmark = [
    pytest.mark.slow,
    NEEDS_NODE,
    pytest.mark.skipif(
        not (HELPER / "node_modules").exists(), reason="needs clients/remotion/node_modules (`npm ci --prefix` it)"
    ),
]


def test_publint_and_attw_find_nothing(tmp_path: Path) -> None:
    archive = pack(tmp_path)
    run("publint", "--strict", tmp_path / "helper", cwd=tmp_path)
    run("attw", archive, "--profile=esm-only", cwd=tmp_path)
