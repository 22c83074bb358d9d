"""compose.yaml, checked without running it."""

import re
from pathlib import Path
from typing import Any

import pytest

from cli import cli
from services.settings import FIELDS, load_settings, setting_warnings, unknown_variables, variable
from services.worker.render_run import MAX_LAUNCH_S
from tests.deploy.compose import COMPOSE, LASTING, OURS, REQUIRED, SERVICES, STORES, VARIABLE
from tests.image.dockerfile import dockerfile_text, read
from tests.support import tokens

VARIABLES = {variable(name) for name in FIELDS}
PASSWORD = "0a" * 32


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_every_service_has_minimal_privileges(service: dict[str, Any]) -> None:
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["init"] is True
    assert not {"privileged", "cap_add", "network_mode", "pid"} & set(service)
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}


def test_services_are_restarted_and_migrate_runs_once() -> None:
    assert {name for name, service in SERVICES.items() if service["restart"] != "unless-stopped"} == {"migrate"}
    assert SERVICES["migrate"]["restart"] == "no"


@pytest.mark.parametrize("service", STORES.values(), ids=STORES)
def test_a_store_has_an_exact_version_and_an_internal_network(service: dict[str, Any]) -> None:
    assert re.fullmatch(r"[a-z]+:\d+\.\d+\.\d+", service["image"])
    assert service["user"] == "999:999"
    assert "ports" not in service
    assert service["networks"] == ["stores"]
    assert COMPOSE["networks"]["stores"] == {"internal": True}


def test_mongodb_is_checked_often_at_the_start_and_rarely_later() -> None:
    check = STORES["mongo"]["healthcheck"]
    assert int(check["start_interval"].removesuffix("s")) < 5
    assert int(check["interval"].removesuffix("s")) >= 30


def test_mongodb_may_open_as_many_files_as_it_recommends() -> None:
    assert STORES["mongo"]["ulimits"]["nofile"] >= 64_000


@pytest.mark.parametrize("service", STORES.values(), ids=STORES)
def test_a_store_requires_a_password_that_is_not_in_a_command_line(service: dict[str, Any]) -> None:
    passwords = {value for name, value in service["environment"].items() if "USERNAME" not in name}
    assert len(passwords) == 1
    (name,) = REQUIRED.findall(passwords.pop())
    for url in ("MONGODB_URL", "REDIS_URL"):
        used = f"${{{name}}}" in SERVICES["api-1"]["environment"][url]
        assert used == (name.split("_")[0] in url)
    checked = " ".join(service["healthcheck"]["test"])
    assert not re.search(r"\$|--password|-p |-a ", checked)


def test_one_service_builds_the_image_and_the_others_use_it() -> None:
    assert {name for name, service in SERVICES.items() if "build" in service} == {"migrate"}
    assert SERVICES["migrate"]["pull_policy"] == "build"
    assert {service["pull_policy"] for service in LASTING.values()} == {"never"}


@pytest.mark.parametrize("service", LASTING.values(), ids=LASTING)
def test_our_services_wait_for_the_stores_and_the_image(service: dict[str, Any]) -> None:
    healthy = {name: {"condition": "service_healthy"} for name in STORES}
    assert service["depends_on"] == healthy | {"migrate": {"condition": "service_completed_successfully"}}
    assert SERVICES["migrate"]["depends_on"].keys() <= STORES.keys()
    assert all("healthcheck" in store for store in STORES.values())


@pytest.mark.parametrize("service", OURS.values(), ids=OURS)
def test_our_services_run_as_the_image_does_and_publish_ports_on_loopback(service: dict[str, Any]) -> None:
    assert not {"user", "entrypoint", "healthcheck"} & set(service)
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


@pytest.mark.parametrize("service", OURS.values(), ids=OURS)
def test_the_environment_of_our_services_has_valid_settings(
    service: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert set(service["environment"]) <= VARIABLES
    for name, value in service["environment"].items():
        text = VARIABLE.sub(lambda found: found["default"] or PASSWORD, REQUIRED.sub(tokens.SECRET, str(value)))
        assert "$" not in text
        monkeypatch.setenv(name, text)
    settings = load_settings()
    assert [*unknown_variables(), *setting_warnings(settings, serves="command" not in service)] == []
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
        token_secret = service["environment"]["RENDERCAST_RENDER_TOKEN_SECRET"]
        assert token_secret == ("${RENDERCAST_RENDER_TOKEN_SECRET:-}" if name in serving else "")
        secret = REQUIRED.fullmatch(service["environment"]["RENDERCAST_JWT_SECRET"])
        assert secret if name in serving else service["environment"]["RENDERCAST_JWT_SECRET"] == ""
