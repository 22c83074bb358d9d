"""The base class of all groups of settings, and the folder of this checkout."""

from pathlib import Path

from pydantic import AliasChoices, BaseModel, ConfigDict

CHECKOUT = Path(__file__).resolve().parents[2]
PREFIX = "RENDERCAST_"


class SettingsGroup(BaseModel):
    """Settings of one subject. A field's environment variable is its name in capitals after `PREFIX`, or its alias."""

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)


def renamed(variable: str, former: str) -> AliasChoices:
    """Return the alias of a field whose environment variable was renamed. The former name is still accepted."""
    return AliasChoices(PREFIX + variable, PREFIX + former)
