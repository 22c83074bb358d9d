"""Each command loads what it runs and no more: that is most of the time a command takes."""

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.commands.conftest import SMALL, environment
from tests.end_to_end.conftest import Start
from tests.end_to_end.processes import COMMAND, Rendercast
from tests.end_to_end.production import Site

LOADED = re.compile(r"^import time:.*\| +([\w.]+)$", re.MULTILINE)
SERVER = {"strawberry", "graphql", "starlette", "uvicorn"}
STORES = {"motor", "pymongo", "sqlite3"}
AWS = {"boto3", "botocore"}
DRAWING = {"av", "numpy", "uharfbuzz"}


def loaded(log: str) -> set[str]:
    """Return the packages that Python says it has loaded."""
    return {name.partition(".")[0] for name in LOADED.findall(log)}


def from_command(*arguments: str, url: str = "") -> set[str]:
    told = subprocess.run(
        [COMMAND, *arguments], env=environment(url, PYTHONPROFILEIMPORTTIME="1"), capture_output=True, check=True
    )
    return loaded(told.stderr.decode())


def none_of(packages: set[str], *unwanted: Iterable[str]) -> bool:
    return packages.isdisjoint(set().union(*unwanted))


def test_help_and_completion_load_nothing_but_the_options() -> None:
    packages = from_command("render", "--help")
    assert "typer" in packages
    assert none_of(packages, SERVER, STORES, AWS, DRAWING, {"aiohttp", "redis", "jwt", "pydantic_settings"})


@pytest.mark.parametrize("command", ["list", "quota"])
def test_a_command_for_clients_loads_no_server(command: str, start: Start) -> None:
    packages = from_command(command, url=start(**SMALL).url)
    assert "aiohttp" in packages
    assert none_of(packages, SERVER, STORES, AWS, DRAWING, {"redis", "jwt", "pydantic_settings"})


def test_dev_loads_the_drivers_of_no_server(tmp_path: Path) -> None:
    dev = Rendercast(tmp_path, PYTHONPROFILEIMPORTTIME=1)
    dev.close()
    packages = loaded(dev.log)
    assert {"strawberry", "sqlite3"} <= packages
    assert none_of(packages, {"motor", "pymongo"}, AWS, DRAWING)


def test_a_worker_loads_no_api_and_an_api_no_renderer(site: Site) -> None:
    worker, serving = site.start("worker", "serve --port 0", PYTHONPROFILEIMPORTTIME=1)
    site.close()
    packages = loaded(worker.log)
    assert "motor" in packages
    assert none_of(packages, SERVER, AWS, DRAWING, {"sqlite3"})
    assert none_of(loaded(serving.log), AWS, DRAWING, {"sqlite3"})
