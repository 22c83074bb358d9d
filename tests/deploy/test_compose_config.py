"""Docker Compose itself accepts compose.yaml."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.compose import COMPOSE_FILE, OURS

SECRETS = dict.fromkeys(("MONGO_PASSWORD", "REDIS_PASSWORD", "RENDERCAST_JWT_SECRET"), "0a" * 32)


def compose_command() -> list[str] | None:
    """Return the command of Docker Compose: the program in COMPOSE, or Docker's plug-in; None if neither is there."""
    if program := os.environ.get("COMPOSE"):
        return program.split()
    if shutil.which("docker") is None:
        return None
    found = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)  # noqa: S607
    return ["docker", "compose"] if found.returncode == 0 else None


COMMAND = compose_command()
pytestmark = pytest.mark.skipif(COMMAND is None, reason="Docker Compose is not installed")


def config(folder: Path, variables: dict[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    """Run `docker compose config` with these variables in `.env`."""
    shutil.copy(COMPOSE_FILE, folder)
    (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
    environment = {name: value for name, value in os.environ.items() if name not in SECRETS}
    return subprocess.run(
        [*(COMMAND or []), "config", *options],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=environment,
    )


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The services as Docker Compose reads them."""
    result = config(tmp_path_factory.mktemp("compose"), SECRETS, "--format", "json")
    assert (result.returncode, result.stderr) == (0, "")
    found: dict[str, dict[str, Any]] = json.loads(result.stdout)["services"]
    return found


def test_docker_compose_reads_every_service(services: dict[str, dict[str, Any]]) -> None:
    assert {*OURS, "mongo", "redis"} == set(services)
    assert services["api-1"]["environment"]["RENDERCAST_JWT_SECRET"] == SECRETS["RENDERCAST_JWT_SECRET"]
    assert services["worker"]["environment"]["RENDERCAST_JWT_SECRET"] == ""
    assert SECRETS["MONGO_PASSWORD"] in services["worker"]["environment"]["MONGODB_URL"]


def test_docker_compose_builds_one_service(services: dict[str, dict[str, Any]]) -> None:
    building = {name for name, service in services.items() if "build" in service}
    assert len(building) == 1
    for name in OURS.keys() - building:
        assert services[name]["pull_policy"] == "never"
        assert building <= services[name]["depends_on"].keys()


@pytest.mark.parametrize("name", SECRETS)
def test_a_missing_secret_is_named(name: str, tmp_path: Path) -> None:
    result = config(tmp_path, SECRETS | {name: ""}, "--quiet")
    assert result.returncode != 0
    assert f"set {name}." in result.stderr
