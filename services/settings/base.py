"""The base class of all groups of settings, and the folder of this checkout."""

from pathlib import Path

from pydantic import AliasChoices
from pydantic_settings import BaseSettings, SettingsConfigDict

CHECKOUT = Path(__file__).resolve().parents[2]
PREFIX = "RENDERCAST_"


class SettingsGroup(BaseSettings):
    """Settings of one subject, read from the environment and from the file `.env` in the current folder.

    A field's environment variable is its name in capitals after `PREFIX`, unless it has an alias of its own.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
    )


def renamed(variable: str, former: str) -> AliasChoices:
    """Return the alias of a field whose environment variable was renamed. The former name is still accepted."""
    return AliasChoices(PREFIX + variable, PREFIX + former)
