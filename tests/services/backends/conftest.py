"""A bundle of a real Remotion project for the tests of the renderer `node`."""

from pathlib import Path

import pytest

from tests.support.node_renderer import bundle_project, make_project


@pytest.fixture(scope="session")
def node_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the bundle, made once for all tests of a worker."""
    folder = tmp_path_factory.mktemp("node")
    return bundle_project(make_project(folder), folder / "bundle")
