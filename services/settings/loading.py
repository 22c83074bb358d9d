"""Loads all groups of settings. An invalid value prevents the start, with one line that names its variable."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self, get_type_hints

from pydantic import AliasChoices, ValidationError
from pydantic.fields import FieldInfo

from services.errors import StartupError
from services.settings.auth import AuthSettings
from services.settings.base import PREFIX, SettingsGroup
from services.settings.connections import ConnectionSettings
from services.settings.graphql import GraphQLSettings
from services.settings.logs import LoggingSettings
from services.settings.metrics import MetricsSettings
from services.settings.pages import PageSettings
from services.settings.remotion import RemotionSettings
from services.settings.renderer import RendererSettings
from services.settings.renders import RenderSettings
from services.settings.server import ServerSettings
from services.settings.storage import StorageSettings
from services.settings.webhooks import WebhookSettings
from services.settings.worker import WorkerSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings in groups. A field's name is unique across groups."""

    server: ServerSettings
    storage: StorageSettings
    auth: AuthSettings
    renders: RenderSettings
    renderer: RendererSettings
    remotion: RemotionSettings
    webhooks: WebhookSettings
    worker: WorkerSettings
    connections: ConnectionSettings
    graphql: GraphQLSettings
    pages: PageSettings
    logging: LoggingSettings
    metrics: MetricsSettings

    def replace(self, **values: object) -> Self:
        """Return a copy with these values for fields of any group. They are not validated."""
        changes = {name: part for name, part in _by_group(values).items() if part}
        copies = {name: getattr(self, name).model_copy(update=part) for name, part in changes.items()}
        return dataclasses.replace(self, **copies)


GROUPS: Mapping[str, type[SettingsGroup]] = get_type_hints(Settings)
FIELDS: Mapping[str, FieldInfo] = {
    name: field for group in GROUPS.values() for name, field in group.model_fields.items()
}


def load_settings(**overrides: object) -> Settings:
    """Read the settings; `overrides`, by field name, take precedence over the environment.

    Raises `StartupError` with one line per invalid value.
    """
    parts = _by_group(overrides)
    groups: dict[str, SettingsGroup] = {}
    errors: list[str] = []
    for name, group in GROUPS.items():
        try:
            groups[name] = group(**parts[name])
        except ValidationError as error:
            errors += [f"{_described(str(each['loc'][0]))}: {each['msg']}" for each in error.errors()]
    if errors:
        raise StartupError("\n".join(errors))
    return Settings(**groups)  # type: ignore[arg-type]  # `GROUPS` has the types of its fields


def default_settings(**values: object) -> Settings:
    """Return the defaults, with these values for some fields. Nothing is validated or read from the environment."""
    parts = _by_group(values)
    groups = {name: group.model_construct(**parts[name]) for name, group in GROUPS.items()}  # type: ignore[arg-type]
    return Settings(**groups)  # type: ignore[arg-type]  # `GROUPS` has the types of its fields


def variable(name: str) -> str:
    """Return the environment variable of a setting, given its field name or a variable's name."""
    field = FIELDS.get(name.lower())
    alias = None if field is None else field.validation_alias
    if isinstance(alias, AliasChoices):
        return str(alias.choices[0])
    if alias is not None or name.isupper():
        return str(alias or name)
    return f"{PREFIX}{name.upper()}"


def _described(name: str) -> str:
    """Return the variable of a setting, with its former names, any of which may have the invalid value."""
    current = variable(name)
    former = [old for field in FIELDS if variable(field) == current for old in former_variables(field)]
    return f"{current} (formerly {', '.join(former)})" if former else current


def former_variables(name: str) -> list[str]:
    """Return the former names of a setting's environment variable, which are still accepted."""
    alias = FIELDS[name].validation_alias
    return [str(choice) for choice in alias.choices[1:]] if isinstance(alias, AliasChoices) else []


def _by_group(values: Mapping[str, object]) -> dict[str, dict[str, object]]:
    """Return the values of each group. Raises `TypeError` for a name that is not a setting."""
    if unknown := values.keys() - FIELDS.keys():
        raise TypeError(f"There is no setting {', '.join(sorted(unknown))}.")
    return {
        group_name: {name: value for name, value in values.items() if name in group.model_fields}
        for group_name, group in GROUPS.items()
    }
