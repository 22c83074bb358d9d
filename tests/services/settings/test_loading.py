from pathlib import Path

import pytest

from services.errors import StartupError
from services.settings import FIELDS, GROUPS, default_settings, load_settings


def test_the_environment_is_read_and_overrides_precede_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RENDERCAST_QUOTA_LIMIT", "7")
    monkeypatch.setenv("RENDERCAST_PORT", "9000")
    settings = load_settings(port=9001)
    assert (settings.renders.quota_limit, settings.server.port) == (7, 9001)
    assert settings.server.base_url == "http://127.0.0.1:9001"


def test_base_url_is_the_public_url_or_the_listening_address() -> None:
    assert load_settings(host="::1", port=1).server.base_url == "http://[::1]:1"
    assert load_settings(public_url="https://videos.example").server.base_url == "https://videos.example"


def test_every_wrong_value_is_one_line_that_names_its_variable() -> None:
    with pytest.raises(StartupError) as error:
        load_settings(quota_limit="many", text_width=641, log_level="loud", public_url="nowhere")
    assert sorted(line.split()[0] for line in str(error.value).splitlines()) == [
        "RENDERCAST_LOG_LEVEL",
        "RENDERCAST_PUBLIC_URL",
        "RENDERCAST_QUOTA_LIMIT",
        "RENDERCAST_TEXT_WIDTH",
    ]


def test_settings_are_immutable() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().server.port = 1


def test_the_environment_precedes_the_file_for_former_names_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("RENDERCAST_TEXT_WIDTH=100\nrendercast_text_height=102\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RENDERCAST_LOCAL_WIDTH", "104")
    renderer = load_settings().renderer
    assert (renderer.text_width, renderer.text_height) == (104, 102)


@pytest.mark.parametrize("content", [b"RENDERCAST_PORT=\xff", b"\xff\xfeR\0E\0"])
def test_a_file_that_is_not_text_is_reported(content: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(content)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StartupError, match=r"^The file \.env is not text in UTF-8\.$"):
        load_settings()


def test_an_empty_variable_is_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RENDERCAST_QUOTA_LIMIT", "")
    monkeypatch.setenv("REMOTION_SERVE_URL", "")
    settings = load_settings()
    assert (settings.renders.quota_limit, settings.remotion.remotion_serve_url) == (5, None)


@pytest.mark.parametrize(
    ("former", "name", "value"),
    [
        ("RENDERCAST_LOCAL_WIDTH", "text_width", 640),
        ("RENDERCAST_LOCAL_HEIGHT", "text_height", 360),
        ("RENDERCAST_LOOK_INTERVAL_S", "acquire_interval_s", 2.5),
        ("RENDERCAST_MAX_OPERATIONS_AT_ONCE", "max_concurrent_operations", 9),
    ],
)
def test_former_variables_are_still_accepted(
    former: str, name: str, value: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    (group,) = (group_name for group_name, group in GROUPS.items() if name in group.model_fields)
    monkeypatch.setenv(former, str(value))
    assert getattr(getattr(load_settings(), group), name) == value
    monkeypatch.setenv(f"RENDERCAST_{name.upper()}", "18")
    assert getattr(getattr(load_settings(), group), name) == 18
    assert getattr(getattr(load_settings(**{name: 20}), group), name) == 20


def test_the_former_name_of_the_text_renderer_is_still_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RENDERCAST_RENDERER", "local")
    assert load_settings().renderer.renderer == "text"


def test_every_field_name_is_unique_over_all_groups() -> None:
    assert len(FIELDS) == sum(len(group.model_fields) for group in GROUPS.values())


def test_values_are_replaced_by_field_name_in_a_copy() -> None:
    settings = default_settings(quota_limit=7)
    changed = settings.replace(port=9, max_connections=50)
    assert (changed.server.port, changed.connections.max_connections, changed.renders.quota_limit) == (9, 50, 7)
    assert settings.server.port == 8000


def test_defaults_read_neither_the_environment_nor_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("RENDERCAST_PORT=9\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RENDERCAST_HOST", "::1")
    assert (default_settings().server.host, default_settings().server.port) == ("127.0.0.1", 8000)
    assert load_settings().server.port == 9


def test_an_unknown_name_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(TypeError, match="There is no setting prot"):
        load_settings(prot=1)
