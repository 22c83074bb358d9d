"""Fixtures: an empty folder without settings, and the error of a start with some settings."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from services.errors import StartupError
from services.settings import load_settings

Rejection = Callable[..., str]
PREFIXES = ("RENDERCAST_", "REMOTION_", "MONGODB_", "REDIS_")


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.startswith(PREFIXES) or name == "PORT":
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def rejection(monkeypatch: pytest.MonkeyPatch) -> Rejection:
    """Load the settings with these variables and return the error."""

    def load(**variables: str) -> str:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(StartupError) as rejected:
            load_settings()
        return str(rejected.value)

    return load
