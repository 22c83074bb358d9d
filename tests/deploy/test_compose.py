"""compose.yaml and `.env.example`, checked without running them."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli import cli
from services.settings import CHECKOUT, FIELDS, load_settings, variable
from services.settings.reference import default_text
from services.worker.render_run import MAX_LAUNCH_S
from tests.image.dockerfile import dockerfile_text, read
from tests.support import tokens

COMPOSE: dict[str, Any] = yaml.safe_load((CHECKOUT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
STORES = {name: service for name, service in SERVICES.items() if name not in OURS}
EXAMPLE = (CHECKOUT / ".env.example").read_text(encoding="utf-8")
VARIABLES = {variable(name) for name in FIELDS}
REQUIRED = re.compile(r"\$\{(\w+):\?[^}]+\}")
WITH_DEFAULT = re.compile(r"\$\{\w+:-([^}]*)\}")


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_every_service_has_minimal_privileges(service: dict[str, Any]) -> None:
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "network_mode", "pid"} & set(service)
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    assert service["restart"] == "unless-stopped"


@pytest.mark.parametrize("service", STORES.values(), ids=STORES)
def test_a_store_has_a_fixed_version_and_an_internal_network(service: dict[str, Any]) -> None:
    assert re.fullmatch(r"[a-z]+:[1-9][0-9.]*", service["image"])
    assert service["user"] == "999:999"
    assert "ports" not in service
    assert service["networks"] == ["stores"]
    assert COMPOSE["networks"]["stores"] == {"internal": True}


def test_mongodb_is_checked_often_at_the_start_and_rarely_later() -> None:
    check = STORES["mongo"]["healthcheck"]
    assert int(check["start_interval"].removesuffix("s")) < 5
    assert int(check["interval"].removesuffix("s")) >= 30


@pytest.mark.parametrize("service", OURS.values(), ids=OURS)
def test_our_services_share_one_image_and_wait_for_the_stores(service: dict[str, Any]) -> None:
    assert (service["build"], service["image"]) == (".", "rendercast")
    assert not {"user", "entrypoint", "healthcheck"} & set(service)  # the image's
    assert service["depends_on"] == {name: {"condition": "service_healthy"} for name in STORES}
    assert all("healthcheck" in store for store in STORES.values())
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


@pytest.mark.parametrize("service", OURS.values(), ids=OURS)
def test_the_environment_of_our_services_has_valid_settings(
    service: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert set(service["environment"]) <= VARIABLES
    for name, value in service["environment"].items():
        text = WITH_DEFAULT.sub(r"\1", REQUIRED.sub(tokens.SECRET, str(value)))
        assert "$" not in text
        monkeypatch.setenv(name, text)
    settings = load_settings()
    (exposed,) = (found.words for found in read(dockerfile_text()) if found.name == "EXPOSE")
    assert [str(settings.server.port), str(settings.metrics.metrics_port)] == exposed
    assert f"videos:{settings.storage.data_dir}" in service["volumes"]
    assert all(port.endswith(f":{settings.server.port}") for port in service.get("ports", []))


@pytest.mark.parametrize("service", OURS.values(), ids=OURS)
def test_the_public_url_can_be_overridden(service: dict[str, Any]) -> None:
    assert service["environment"]["RENDERCAST_PUBLIC_URL"].startswith("${RENDERCAST_PUBLIC_URL:-")


def test_commands_exist_and_a_worker_has_time_to_stop() -> None:
    commands = {command.name or command.callback.__name__ for command in cli.registered_commands if command.callback}
    assert {word for service in OURS.values() for word in service.get("command", [])} <= commands
    assert int(SERVICES["worker"]["stop_grace_period"].removesuffix("s")) > MAX_LAUNCH_S


def test_only_services_that_serve_have_a_secret_and_require_it() -> None:
    serving = {name for name, service in OURS.items() if "command" not in service}
    for name, service in OURS.items():
        secret = REQUIRED.fullmatch(service["environment"]["RENDERCAST_JWT_SECRET"])
        assert secret if name in serving else service["environment"]["RENDERCAST_JWT_SECRET"] == ""
    assert re.search(r"^RENDERCAST_JWT_SECRET=$", EXAMPLE, re.MULTILINE)


@pytest.mark.parametrize("name", FIELDS)
def test_every_setting_is_in_the_example_with_its_meaning_and_default(name: str) -> None:
    field = FIELDS[name]
    default = default_text(name)
    lines = rf"# {re.escape(field.description or '')}\n(#.*\n)?#?{variable(name)}={re.escape(default)}\n"
    assert re.search(lines, EXAMPLE), f"Add to .env.example:\n\n# {field.description}\n#{variable(name)}={default}"


def test_the_example_has_each_setting_once_and_no_unknown_one() -> None:
    named = re.findall(r"^#?([A-Z][A-Z0-9_]+)=", EXAMPLE, re.MULTILINE)
    assert sorted(named) == sorted(VARIABLES)


def test_the_example_sets_only_the_secret_and_leaves_it_empty() -> None:
    assert re.findall(r"^[^#\n].*", EXAMPLE, re.MULTILINE) == ["RENDERCAST_JWT_SECRET="]
