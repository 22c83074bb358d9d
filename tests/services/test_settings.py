import pytest

from services.errors import StartupError
from services.settings import load_settings


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RENDERCAST_QUOTA_LIMIT", "7")
    monkeypatch.setenv("RENDERCAST_PORT", "9000")
    settings = load_settings(port=9001)
    assert (settings.quota_limit, settings.port, settings.base_url) == (7, 9001, "http://127.0.0.1:9001")
    assert load_settings(host="::1", port=1).base_url == "http://[::1]:1"
    assert load_settings(public_url="https://videos.example").base_url == "https://videos.example"


def test_every_fault_is_one_line_that_names_its_variable() -> None:
    with pytest.raises(StartupError) as error:
        load_settings(quota_limit="many", local_width=641, log_level="loud", public_url="nowhere")
    lines = str(error.value).splitlines()
    assert sorted(line.partition(":")[0] for line in lines) == [
        "RENDERCAST_LOCAL_WIDTH",
        "RENDERCAST_LOG_LEVEL",
        "RENDERCAST_PUBLIC_URL",
        "RENDERCAST_QUOTA_LIMIT",
    ]


def test_settings_do_not_change_once_read() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().port = 1


def test_an_empty_variable_is_the_same_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RENDERCAST_QUOTA_LIMIT", "")
    monkeypatch.setenv("REMOTION_SERVE_URL", "")
    settings = load_settings()
    assert (settings.quota_limit, settings.remotion_serve_url) == (5, None)
