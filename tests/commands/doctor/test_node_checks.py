"""`rendercast doctor` for a Remotion project on this machine."""

from pathlib import Path

import pytest

from commands.doctor.checks import diagnose
from commands.doctor.report import Result
from commands.doctor.role import Role
from tests.commands.doctor.conftest import found
from tests.services.backends.remotion_node.projects import VERSION, make_bundler, make_empty_project, make_program

CHECKS = ("Node", "Remotion project", "browser")


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in which programs are found, with Node and a browser. The renderer is `node`."""
    folder = tmp_path / "bin"
    folder.mkdir()
    make_bundler(folder / "node")
    make_program(folder / "chromium", "exit 0")
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("RENDERCAST_RENDERER", "node")
    return folder


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REMOTION_PROJECT", "project")
    return make_empty_project(tmp_path / "project")


async def test_what_is_installed_is_reported(programs: Path, project: Path) -> None:
    sentences = {each.check: (each.result, each.sentence) for each in await diagnose(None)}
    assert [sentences[check] for check in CHECKS] == [
        (Result.OK, f"{programs}/node is new enough."),
        (Result.OK, f"{project} has Remotion {VERSION}."),
        (Result.OK, f"{programs}/chromium starts (chrome-for-testing)."),
    ]
    assert sentences["AWS access"][0] is Result.SKIPPED
    assert sentences["compositions"][0] is not Result.WRONG


@pytest.mark.usefixtures("project")
async def test_what_is_missing_is_reported_with_a_fix(programs: Path) -> None:
    (programs / "node").unlink()
    (programs / "chromium").unlink()
    results = await found()
    assert results["Node"].startswith("WRONG Remotion needs Node")
    assert results["Remotion project"] == "OK"
    assert results["browser"].startswith("WRONG No browser is installed.")


@pytest.mark.usefixtures("programs")
async def test_without_a_project_the_browser_is_not_checked() -> None:
    results = await found()
    assert results["Remotion project"].startswith("WRONG REMOTION_PROJECT is not set")
    assert results["browser"] == "SKIPPED"


@pytest.mark.usefixtures("programs")
async def test_servers_need_no_project() -> None:
    results = await found(Role.SERVE)
    assert [results[check] for check in CHECKS] == ["SKIPPED"] * 3


async def test_other_renderers_need_nothing_of_it() -> None:
    results = await found(Role.DEV)
    assert [results[check] for check in CHECKS] == ["SKIPPED"] * 3
