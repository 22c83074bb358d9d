"""A bundle of a real Remotion project for the tests of the renderer `node`."""

import os
from pathlib import Path

import pytest

from tests.support.file_lock import exclusive
from tests.support.node_renderer import bundle_project, make_project


@pytest.fixture(scope="session")
def node_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the bundle, made once for all workers."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    with exclusive(folder / "bundle.lock"):
        bundle = folder / "bundle"
        if not bundle.exists():
            bundle_project(make_project(folder / "bundled"), folder / "bundle.new").rename(bundle)
    return bundle
