"""The units in deploy/systemd start commands that exist, with settings that exist, and wait for a stop to end."""

import shlex
from configparser import ConfigParser
from pathlib import Path

import pytest
from typer.main import get_command

from cli import cli
from services.settings import CHECKOUT
from services.settings.groups import accepted_variables
from services.worker.render_run import MAX_LAUNCH_S

UNITS = sorted((CHECKOUT / "deploy" / "systemd").glob("*.service"))


def service(unit: Path) -> dict[str, str]:
    parser = ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str  # type: ignore[method-assign,assignment]
    parser.read(unit)
    return dict(parser["Service"])


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_runs_a_command_with_settings(unit: Path) -> None:
    options = service(unit)
    program, command = shlex.split(options["ExecStart"])
    assert program == f"{options['WorkingDirectory']}/.venv/bin/rendercast"
    assert command in get_command(cli).commands  # type: ignore[attr-defined]
    names = {each.partition("=")[0] for each in shlex.split(options["Environment"])}
    assert names - {"PYTHONPYCACHEPREFIX"} <= accepted_variables().keys()


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_keeps_compiled_modules_where_it_may_write(unit: Path) -> None:
    options = service(unit)
    assert options["ProtectSystem"] == "strict"
    assert f"PYTHONPYCACHEPREFIX=/var/cache/{options['CacheDirectory']}" in shlex.split(options["Environment"])


def test_a_worker_has_the_time_to_finish_a_start_request() -> None:
    api, worker = map(service, UNITS)
    assert int(worker["TimeoutStopSec"]) > MAX_LAUNCH_S
    assert worker["KillMode"] == "mixed"
    assert api["ExecStart"].endswith(" serve")
