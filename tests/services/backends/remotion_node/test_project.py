"""Finding a project with its packages and its entry point."""

import shutil
from pathlib import Path

import pytest

from services.backends.remotion_node.project import ENTRY_POINTS, find_packages, find_project
from services.errors import StartupError
from tests.services.backends.remotion_node.projects import VERSION, add_package, make_empty_project


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_empty_project(tmp_path)


def test_the_packages_and_the_entry_point_are_found(folder: Path) -> None:
    project = find_project(folder)
    assert (project.folder, project.packages.folder, project.packages.version) == (folder, folder, VERSION)
    assert (project.entry, project.cli) == (folder / "src" / "index.ts", None)


@pytest.mark.parametrize("candidate", ENTRY_POINTS)
def test_each_entry_point_of_remotions_command_line_is_found(folder: Path, candidate: str) -> None:
    (folder / "src" / "index.ts").unlink()
    (folder / candidate).parent.mkdir(parents=True, exist_ok=True)
    (folder / candidate).touch()
    assert find_project(folder).entry == folder / candidate


def test_another_entry_point_can_be_named(folder: Path) -> None:
    entry = folder / "src" / "video.ts"
    entry.touch()
    project = find_project(entry)
    assert (project.folder, project.entry) == (folder, entry)


def test_a_configuration_file_is_left_to_remotions_command_line(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "remotion.config.ts").touch()
    assert find_project(folder).cli is None
    assert caplog.messages == ["the project's remotion.config.ts is not read: @remotion/cli is not installed"]
    program = add_package(folder, "@remotion/cli") / "remotion-cli.js"
    program.touch()
    (folder / "src" / "index.ts").unlink()
    project = find_project(folder)
    assert (project.cli, project.entry) == (program, None)
    (folder / "remotion.config.ts").unlink()
    with pytest.raises(StartupError, match="no entry point"):
        find_project(folder)


def test_packages_of_a_parent_folder_are_found(folder: Path) -> None:
    inner = folder / "apps" / "video"
    (inner / "src").mkdir(parents=True)
    (inner / "src" / "index.ts").touch()
    assert find_project(inner).packages.version == VERSION


def test_linked_packages_are_found_through_the_command_line(folder: Path) -> None:
    """As pnpm installs them: only the packages that the project names are in its `node_modules`."""
    store = folder / ".pnpm" / "cli"
    add_package(store, "@remotion/cli")
    for name in ("renderer", "bundler"):
        shutil.rmtree(folder / "node_modules" / "@remotion" / name)
        add_package(store, f"@remotion/{name}")
    (folder / "node_modules" / "@remotion" / "cli").symlink_to(store / "node_modules" / "@remotion" / "cli")
    packages = find_project(folder).packages
    assert packages.folder == store / "node_modules" / "@remotion" / "cli"


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match=r"REMOTION_PROJECT is .*/nowhere, which does not exist\.$"):
        find_project(tmp_path / "nowhere")


def test_a_file_outside_of_a_project_is_named(tmp_path: Path) -> None:
    (tmp_path / "index.ts").touch()
    with pytest.raises(StartupError, match=r"index\.ts, which is in no folder with a package\.json\.$"):
        find_project(tmp_path / "index.ts")


def test_a_project_that_is_not_installed_is_named(folder: Path) -> None:
    shutil.rmtree(folder / "node_modules")
    with pytest.raises(StartupError, match=r"has no node_modules: run `npm install` there\.$"):
        find_project(folder)


@pytest.mark.parametrize(
    ("package", "remedy"),
    [
        ("remotion", "Set REMOTION_PROJECT to a Remotion project"),
        ("@remotion/renderer", f"`npm install @remotion/renderer@{VERSION}`"),
        ("@remotion/bundler", f"`npm install @remotion/cli@{VERSION}`"),
    ],
)
def test_a_missing_package_is_named_with_the_remedy(folder: Path, package: str, remedy: str) -> None:
    shutil.rmtree(folder / "node_modules" / package)
    with pytest.raises(StartupError, match=package) as error:
        find_project(folder)
    assert remedy in str(error.value)


@pytest.mark.parametrize("version", ["4.0.300", "3.3.102", "latest"])
def test_an_old_version_is_rejected(tmp_path: Path, version: str) -> None:
    with pytest.raises(StartupError, match=f"has Remotion {version}, but 4.0.301 or newer is needed"):
        find_packages(make_empty_project(tmp_path, version=version))


@pytest.mark.parametrize("version", ["4.0.301", "4.1.0-alpha5", "5.0.0"])
def test_newer_versions_are_accepted(tmp_path: Path, version: str) -> None:
    assert find_packages(make_empty_project(tmp_path, version=version)).version == version


def test_a_broken_package_is_named(folder: Path) -> None:
    (folder / "node_modules" / "remotion" / "package.json").write_text("{")
    with pytest.raises(StartupError, match="run `npm install` again"):
        find_project(folder)
