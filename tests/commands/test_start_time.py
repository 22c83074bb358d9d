"""Each command imports only the packages that it needs: imports take most of a command's time."""

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.commands.conftest import SMALL, environment
from tests.end_to_end.conftest import Start
from tests.end_to_end.processes import COMMAND, Rendercast
from tests.end_to_end.production import Site

pytestmark = pytest.mark.slow

LOADED = re.compile(r"^import time:.*\| +([\w.]+)$", re.MULTILINE)
SERVER = {"strawberry", "graphql", "starlette", "uvicorn"}
STORES = {"motor", "pymongo", "sqlite3"}
AWS = {"boto3", "botocore"}
DRAWING = {"av", "numpy", "uharfbuzz"}


def loaded(log: str) -> set[str]:
    """Return the packages in the log of PYTHONPROFILEIMPORTTIME."""
    return {name.partition(".")[0] for name in LOADED.findall(log)}


def packages_of(*arguments: str, url: str = "") -> set[str]:
    result = subprocess.run(
        [COMMAND, *arguments], env=environment(url, PYTHONPROFILEIMPORTTIME="1"), capture_output=True, check=True
    )
    return loaded(result.stderr.decode())


def none_of(packages: set[str], *excluded: Iterable[str]) -> bool:
    return packages.isdisjoint(set().union(*excluded))


def test_help_imports_only_the_options() -> None:
    packages = packages_of("render", "--help")
    assert "typer" in packages
    assert none_of(packages, SERVER, STORES, AWS, DRAWING, {"aiohttp", "redis", "jwt", "dotenv"})
    assert none_of(packages, {"asyncio", "rendercast", "rich"})


@pytest.mark.parametrize("command", ["list", "quota", "compositions"])
def test_a_client_command_imports_no_server(command: str, start: Start) -> None:
    packages = packages_of(command, url=start(**SMALL).url)
    assert "aiohttp" in packages
    assert none_of(packages, SERVER, STORES, AWS, DRAWING, {"redis", "jwt", "dotenv"})


def test_dev_imports_no_database_driver_or_renderer(tmp_path: Path) -> None:
    dev = Rendercast(tmp_path, PYTHONPROFILEIMPORTTIME=1)
    dev.close()
    packages = loaded(dev.log.split("imported package")[1])  # without those of its spare renderer process
    assert {"strawberry", "sqlite3"} <= packages
    assert none_of(packages, {"motor", "pymongo", "redis", "aiohttp", "jwt", "cryptography"}, AWS, DRAWING)


def test_a_worker_imports_no_api_and_an_api_no_renderer(site: Site) -> None:
    worker, serving = site.start("worker", "serve --port 0", PYTHONPROFILEIMPORTTIME=1)
    site.close()
    packages = loaded(worker.log.split("imported package")[1])  # without those of its spare renderer process
    assert "motor" in packages
    assert none_of(packages, SERVER, AWS, DRAWING, {"sqlite3"})
    assert none_of(loaded(serving.log), AWS, DRAWING, {"sqlite3"})
