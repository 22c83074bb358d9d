"""The package: its documentation, and what its wheel contains and needs."""

import ast
import asyncio
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from hatchling.build import build_wheel
from packaging.requirements import Requirement

import cli
from services.settings import CHECKOUT
from tests.python_client.examples import FOLDER, examples, run_example
from tests.support.idle_site import ANN, IdleSite

PROJECT = tomllib.loads((FOLDER / "pyproject.toml").read_text(encoding="utf-8"))["project"]
SOURCES = sorted((FOLDER / "rendercast").rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """Yield the packages that a module imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                yield from (each.name.partition(".")[0] for each in names)
            case ast.ImportFrom(module=str(module)):
                yield module.partition(".")[0]


def test_it_needs_what_it_imports_and_has_the_version_of_the_server() -> None:
    needed = {name for path in SOURCES for name in imported(path)} - sys.stdlib_module_names - {"rendercast"}
    requirements = [Requirement(each) for each in PROJECT["dependencies"]]
    assert needed == {each.name for each in requirements}
    assert all(version(each.name) in each.specifier for each in requirements)
    server = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (PROJECT["version"], PROJECT["requires-python"]) == (cli.VERSION, server["requires-python"])


def test_its_wheel_has_the_sources_the_types_and_the_licence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)
    with zipfile.ZipFile(tmp_path / build_wheel(str(tmp_path))) as wheel:
        files = {name for name in wheel.namelist() if ".dist-info/" not in name}
        licences = [name for name in wheel.namelist() if name.endswith("licenses/LICENSE")]
    assert files == {str(path.relative_to(FOLDER)) for path in SOURCES} | {"rendercast/client/py.typed"}
    assert len(licences) == 1


@pytest.mark.asyncio(loop_scope="module")
async def test_the_examples_of_its_documentation_run(site: IdleSite, capsys: pytest.CaptureFixture[str]) -> None:
    """Those that wait for a video run in `test_restart`."""
    before = await site.services.renders.quota(ANN)
    for example in examples(waiting=False):
        await asyncio.to_thread(run_example, example, site.url)
    assert "/composition/props" in capsys.readouterr().out
    assert (await site.services.renders.quota(ANN)).remaining == before.remaining - 3
