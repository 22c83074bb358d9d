"""The Makefile's installation of npm packages, with a program in npm's place that fails at first."""

import shutil
import subprocess
from pathlib import Path

import pytest

from services.settings import CHECKOUT
from tests.support.checkout import files

pytestmark = pytest.mark.slow  # it starts make

FOLDER = "tests/clients"
# Removes what is installed, as `npm ci` does, and fails or is killed before the rest.
NPM = """#!/bin/sh
rm -rf "$3/node_modules" && mkdir "$3/node_modules" && echo run >> runs
{failure}
echo "added 2 packages"
echo "{{}}" > "$3/node_modules/.package-lock.json"
"""


class Installation:
    """A copy of the Makefile and of one folder's lock file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.programs = folder / "programs"
        self.programs.mkdir()
        shutil.copy(CHECKOUT / "Makefile", folder)
        (folder / FOLDER).mkdir(parents=True)
        (folder / FOLDER / "package-lock.json").write_text("{}")

    def use_npm(self, failure: str = "") -> None:
        npm = self.programs / "npm"
        npm.write_text(NPM.format(failure=failure))
        npm.chmod(0o755)

    def make(self) -> subprocess.CompletedProcess[str]:
        command = ["make", f"{FOLDER}/node_modules/.package-lock.json"]
        path = f"{self.programs}:/usr/bin:/bin"
        return subprocess.run(
            command, cwd=self.folder, env={"PATH": path}, capture_output=True, text=True, check=False, timeout=60
        )


def test_clean_removes_all_npm_packages() -> None:
    shown = subprocess.run(["make", "-n", "clean"], cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout  # noqa: S607
    others = {"benchmarks/peers", "benchmarks/remotion", "clients/typescript"}  # make installs nothing in them
    locks = {str(Path(name).parent) for name in files() if name.endswith("package-lock.json")}
    folders = {f"{folder}/node_modules" for folder in locks - others}
    assert folders == {word.rstrip("/") for word in shown.split() if word.rstrip("/").endswith("node_modules")}


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


@pytest.mark.parametrize("failure", ['echo "npm error code E404" >&2; exit 1', "kill -9 $$"])
def test_an_installation_that_failed_says_why_and_is_repeated(installation: Installation, failure: str) -> None:
    installation.use_npm(failure)
    for _ in range(2):
        failed = installation.make()
        assert failed.returncode == 2
        assert f"The packages of {FOLDER} could not be installed. Check the connection" in failed.stderr
        assert ("npm error code E404" in failed.stderr) is ("E404" in failure)
    installation.use_npm()
    for _ in range(2):
        assert installation.make().returncode == 0
    assert (installation.folder / "runs").read_text() == "run\n" * 3
