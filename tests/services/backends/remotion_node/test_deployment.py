"""The deployment that the settings describe, and what is said if a part of it is missing."""

from pathlib import Path

import pytest

from services.backends.remotion_node.deployment import find_node, open_deployment, site_name
from services.errors import StartupError
from services.settings import Settings, load_settings
from tests.services.backends.remotion_node.projects import make_bundler, make_empty_project, make_program
from tests.support.fake_clock import FakeClock


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with Node and a browser: the only one in which programs are found."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    make_bundler(folder / "node")
    make_program(folder / "chromium-headless-shell", "exit 0")
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_empty_project(tmp_path / "project")


def make_settings(tmp_path: Path, **values: object) -> Settings:
    return load_settings(data_dir=tmp_path / "data", **values)


async def test_the_project_is_bundled_into_the_data_folder(programs: Path, project: Path, tmp_path: Path) -> None:
    settings = make_settings(
        tmp_path, remotion_project=project, worker_capacity=3, cpu_second_usd=0.01, remotion_license_key="key"
    )
    async with open_deployment(settings, FakeClock(), watches=False) as deployment:
        bundle = await deployment.bundles.current()
    assert bundle.folder == tmp_path / "data" / "bundles" / bundle.version
    assert (deployment.node, deployment.project) == (programs / "node", project)
    assert deployment.browser.path == programs / "chromium-headless-shell"
    assert (deployment.capacity, deployment.cpu_second_usd, deployment.license_key) == (3, 0.01, "key")


@pytest.mark.usefixtures("programs")
@pytest.mark.parametrize("names_project", [False, True])
async def test_a_bundled_folder_is_used_as_it_is(project: Path, tmp_path: Path, *, names_project: bool) -> None:
    build = project / "build"
    build.mkdir()
    (build / "index.html").touch()
    given = {"remotion_project": project} if names_project else {}
    settings = make_settings(tmp_path, remotion_site=build, **given)
    async with open_deployment(settings, FakeClock(), watches=False) as deployment:
        assert (await deployment.bundles.current()).folder == build
        assert deployment.project in {build, project}


@pytest.mark.usefixtures("programs")
async def test_without_a_project_the_setting_is_named(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="REMOTION_PROJECT is not set"):
        await open_deployment(make_settings(tmp_path), FakeClock(), watches=False).__aenter__()


async def test_node_is_required(programs: Path) -> None:
    assert await find_node() == programs / "node"
    (programs / "node").unlink()
    with pytest.raises(StartupError, match=r"there is no program `node`\. Install Node 18 or newer"):
        await find_node()


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo v16.20.2", r"^Node 16\.20\.2 is too old\. Install Node 18 or newer"),
        ("echo hello", "^Node hello is too old"),
        ("echo 'no such library' >&2; exit 127", "^Node does not start: no such library"),
    ],
)
async def test_a_node_that_is_too_old_or_broken_is_rejected(programs: Path, script: str, message: str) -> None:
    make_program(programs / "node", script)
    with pytest.raises(StartupError, match=message):
        await find_node()


def test_all_machines_of_a_deployment_have_the_same_site(tmp_path: Path) -> None:
    urls = {"mongodb_url": "mongodb://x"}
    assert site_name(make_settings(tmp_path, **urls)) == "node"
    assert site_name(make_settings(tmp_path, **urls, remotion_project=tmp_path)) == "node"


def test_each_project_has_a_site_of_its_own_for_developers(tmp_path: Path) -> None:
    sites = {site_name(make_settings(tmp_path, remotion_project=tmp_path / name)) for name in ("a", "b")}
    assert len(sites) == 2
    assert site_name(make_settings(tmp_path, remotion_site=tmp_path)) == f"node {tmp_path}"
