"""A bundle of a real Remotion project for the tests of the renderer `node`."""

import os
from pathlib import Path

import pytest

from tests.support.node_renderer import bundle_project, shared_project


@pytest.fixture(scope="session")
def node_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the bundle, made once for all workers."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    with shared_project() as project:
        bundle = folder / "bundle"
        if not bundle.exists():
            bundle_project(project, folder / "bundle.new").rename(bundle)
    return bundle
