"""A leading `~` in a path is expanded, as a shell does outside of quotes."""

from pathlib import Path
from typing import get_args

import pytest

from services.settings import FIELDS, GROUPS, load_settings, variable
from tests.services.settings.conftest import Rejection

PROGRAMS = ["remotion_browser"]
PATHS = [name for name, field in FIELDS.items() if Path in (field.annotation, *get_args(field.annotation))]


def loaded(name: str) -> Path:
    (group,) = (group for group, fields in GROUPS.items() if name in fields.model_fields)
    return Path(getattr(getattr(load_settings(), group), name))


def test_the_paths_are_found() -> None:
    assert {variable(name) for name in PATHS} >= {"RENDERCAST_DATA_DIR", "RENDERCAST_FONTS_DIR", "REMOTION_PROJECT"}


@pytest.mark.parametrize("name", PATHS + PROGRAMS)
@pytest.mark.parametrize("place", ["environment", ".env"])
def test_every_path_may_be_in_the_home_folder(name: str, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    if place == ".env":
        Path(".env").write_text(f"{variable(name)}=~/x\n")
    else:
        monkeypatch.setenv(variable(name), "~/x")
    assert loaded(name) == Path("/home/ann/x")


@pytest.mark.parametrize("path", ["/srv/~/x", "x~", "./~/x", "x/~"])
def test_other_paths_stay_as_they_are(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RENDERCAST_DATA_DIR", path)
    monkeypatch.setenv("REMOTION_BROWSER", path)
    settings = load_settings()
    assert (settings.storage.data_dir, settings.own_machines.remotion_browser) == (Path(path), path)


@pytest.mark.parametrize("name", PATHS + PROGRAMS)
def test_an_unknown_home_folder_is_reported(name: str, rejection: Rejection) -> None:
    assert rejection(**{variable(name): "~no-such-user/x"}) == (
        f"{variable(name)} starts with ~, but that home folder is not known: write the whole path."
    )


def test_the_file_of_a_secret_may_be_in_the_home_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, rejection: Rejection
) -> None:
    (tmp_path / "secret").write_text("redis://host")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("REDIS_URL_FILE", "~/secret")
    url = load_settings().storage.redis_url
    assert url is not None
    assert url.get_secret_value() == "redis://host"
    assert rejection(REDIS_URL_FILE="~no-such-user/secret") == (
        "REDIS_URL_FILE can't be used: the file of that name starts with ~, but that home folder is not known: "
        "write the whole path."
    )
