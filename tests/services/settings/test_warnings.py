"""Variables that Kubernetes sets for Services, misspelt settings, and a server that does not know its address."""

from pathlib import Path

import pytest

from services.settings import PLATFORM_VARIABLES, load_settings, setting_warnings, unknown_variables
from tests.services.settings.conftest import Rejection

ALL_ADDRESSES = "0.0.0.0"  # noqa: S104  # not listened on
SERVICE = {  # what Kubernetes sets for a Service `rendercast` with a port named `http`
    "RENDERCAST_SERVICE_HOST": "10.0.0.1",
    "RENDERCAST_SERVICE_PORT": "8000",
    "RENDERCAST_SERVICE_PORT_HTTP": "8000",
    "RENDERCAST_PORT": "tcp://10.0.0.1:8000",
    "RENDERCAST_PORT_8000_TCP": "tcp://10.0.0.1:8000",
    "RENDERCAST_PORT_8000_TCP_PROTO": "tcp",
    "RENDERCAST_PORT_8000_TCP_PORT": "8000",
    "RENDERCAST_PORT_8000_TCP_ADDR": "10.0.0.1",
}


def warnings(**overrides: object) -> list[str]:
    return [*unknown_variables(), *setting_warnings(load_settings(**overrides), serves=True)]


def set_all(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_the_variables_of_a_service_are_ignored_with_one_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, SERVICE)
    (warning,) = warnings()
    assert load_settings().server.port == 8000
    assert warning.startswith("RENDERCAST_PORT is ignored: Kubernetes set it for the Service `rendercast`;")
    assert "enableServiceLinks: false" in warning


def test_the_variables_of_several_services_give_one_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    others = {"METRICS_": "udp://10.0.0.2:53", "WORKER_": "sctp://10.0.0.3:1"}
    metrics = {f"RENDERCAST_{name}PORT": value for name, value in others.items()}
    set_all(monkeypatch, SERVICE | metrics | {"RENDERCAST_WORKER_SERVICE_HOST": "10.0.0.3"})
    (warning,) = warnings()
    assert load_settings().metrics.metrics_port is None
    assert "the Services `rendercast-metrics` and `rendercast`" in warning


def test_an_ipv6_address_of_a_service_is_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RENDERCAST_PORT", "tcp://[fd00::1]:8000")
    assert load_settings().server.port == 8000


def test_the_file_of_settings_counts_beside_a_service(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, SERVICE)
    Path(".env").write_text("RENDERCAST_PORT=9000\n")
    assert load_settings().server.port == 9000


@pytest.mark.parametrize(
    "value", ["tcp://example.org:80", "tcp://10.0.0.1", "http://10.0.0.1:80", "tcp://10.0.0.1:80/", "10.0.0.1:80"]
)
def test_a_port_that_only_resembles_a_services_address_is_rejected(value: str, rejection: Rejection) -> None:
    assert rejection(RENDERCAST_PORT=value).startswith("RENDERCAST_PORT must be a whole number from 0 to 65535")


def test_a_services_address_in_the_file_is_rejected(rejection: Rejection) -> None:
    Path(".env").write_text("RENDERCAST_PORT=tcp://10.0.0.1:8000\n")
    assert rejection().startswith("RENDERCAST_PORT must be a whole number")


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("RENDERCAST_PROT", "RENDERCAST_PORT"),
        ("rendercast_prot", "RENDERCAST_PORT"),
        ("RENDERCAST_METRIC_PORT", "RENDERCAST_METRICS_PORT"),
        ("RENDERCAST_JWT_SECRT_FILE", "RENDERCAST_JWT_SECRET_FILE"),
        ("REMOTION_BUCKET_NAM", "REMOTION_BUCKET_NAME"),
    ],
)
def test_a_misspelt_setting_is_a_warning_with_the_nearest_name(
    name: str, nearest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "9")
    assert warnings() == [f"{name.upper()} is not a setting; did you mean {nearest}?"]


def test_known_variables_and_those_of_other_programs_give_no_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RENDERCAST_TOKEN", "RENDERCAST_URL", "RENDERCAST_LOCAL_WIDTH", "RENDERCAST_QUOTA_LIMIT"):
        monkeypatch.setenv(name, "100")
    monkeypatch.setenv("REMOTION_GOOGLE_FONTS", "1")
    Path("url").write_text("redis://localhost")
    monkeypatch.setenv("REDIS_URL_FILE", "url")
    assert warnings() == []


@pytest.mark.parametrize("host", [ALL_ADDRESSES, "0", "::", "[::]", "0:0::0"])
def test_listening_on_all_addresses_without_a_public_url_is_a_warning(host: str) -> None:
    settings = load_settings(host=host, port=1)
    (warning,) = setting_warnings(settings, serves=True)
    assert "RENDERCAST_PUBLIC_URL" in warning
    assert settings.server.base_url == "http://127.0.0.1:1"
    assert list(setting_warnings(settings, serves=False)) == []
    assert warnings(host=host, public_url="https://videos.example/") == []


@pytest.mark.parametrize("host", ["::1", "[::1]", "10.0.0.9", "localhost", "2001:db8::"])
def test_listening_on_one_address_is_no_warning(host: str) -> None:
    assert warnings(host=host) == []


def test_the_port_of_the_platform_is_used_if_no_other_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "9000")
    assert load_settings().server.port == 8000
    assert load_settings(PLATFORM_VARIABLES).server.port == 9000
    assert load_settings(PLATFORM_VARIABLES, port=9001).server.port == 9001
    Path(".env").write_text("RENDERCAST_PORT=9002\n")
    assert load_settings(PLATFORM_VARIABLES).server.port == 9002


def test_the_port_of_the_platform_is_used_beside_a_service(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, SERVICE | {"PORT": "9000"})
    assert load_settings(PLATFORM_VARIABLES).server.port == 9000


@pytest.mark.parametrize("value", ["http", "70000", "tcp://10.0.0.1:80"])
def test_an_invalid_port_of_the_platform_is_named(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", value)
    with pytest.raises(Exception, match=f"^PORT must be a whole number from 0 to 65535, not '{value}'"):
        load_settings(PLATFORM_VARIABLES)
