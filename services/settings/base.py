"""The base class of all groups of settings, and the folder of this checkout."""

from pathlib import Path
from typing import get_args

from pydantic import AliasChoices, BaseModel, ConfigDict, ValidationInfo, field_validator

from services.settings.values import expand_home

CHECKOUT = Path(__file__).resolve().parents[2]
PREFIX = "RENDERCAST_"


class SettingsGroup(BaseModel):
    """Settings of one subject. A field's environment variable is its name in capitals after `PREFIX`, or its alias.

    In texts for fields of the type `Path`, a leading `~` is expanded: no shell does so in `.env` or in quotes.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)

    @field_validator("*", mode="before")
    @classmethod
    def _expand_home(cls, value: object, info: ValidationInfo) -> object:
        annotation = cls.model_fields[str(info.field_name)].annotation
        is_path = Path in (annotation, *get_args(annotation))
        return expand_home(value) if is_path and isinstance(value, str) else value


def renamed(variable: str, former: str) -> AliasChoices:
    """Return the alias of a field whose environment variable was renamed. The former name is still accepted."""
    return AliasChoices(PREFIX + variable, PREFIX + former)
