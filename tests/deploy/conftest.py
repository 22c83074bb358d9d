"""The built manifests, once per worker."""

import pytest

from tests.deploy.kubernetes import Built, Workload, build


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The example's manifests."""
    return build(tmp_path_factory.mktemp("kubernetes"))


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The manifests with the text renderer."""
    return build(tmp_path_factory.mktemp("kubernetes"), "shared-folder")


@pytest.fixture(params=["serve", "worker", "migrate"])
def workload(built: Built, request: pytest.FixtureRequest) -> Workload:
    return built.workloads()[request.param]
