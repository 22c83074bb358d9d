"""All groups of settings, and the names of their environment variables."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self, get_args, get_type_hints

from pydantic import AliasChoices, SecretStr
from pydantic.fields import FieldInfo

from services.settings.auth import AuthSettings
from services.settings.base import PREFIX, SettingsGroup
from services.settings.connections import ConnectionSettings
from services.settings.graphql import GraphQLSettings
from services.settings.logs import LoggingSettings
from services.settings.metrics import MetricsSettings
from services.settings.outputs import OutputSettings
from services.settings.own_machines import OwnMachineSettings
from services.settings.pages import PageSettings
from services.settings.remotion import RemotionSettings
from services.settings.renderer import RendererSettings
from services.settings.renders import RenderSettings
from services.settings.server import ServerSettings
from services.settings.storage import StorageSettings
from services.settings.webhooks import WebhookSettings
from services.settings.worker import WorkerSettings

FILE_SUFFIX = "_FILE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings in groups. A field's name is unique across groups."""

    server: ServerSettings
    storage: StorageSettings
    outputs: OutputSettings
    auth: AuthSettings
    renders: RenderSettings
    renderer: RendererSettings
    own_machines: OwnMachineSettings
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
        changes = {name: part for name, part in by_group(values).items() if part}
        copies = {name: getattr(self, name).model_copy(update=part) for name, part in changes.items()}
        return dataclasses.replace(self, **copies)


GROUPS: Mapping[str, type[SettingsGroup]] = get_type_hints(Settings)
FIELDS: Mapping[str, FieldInfo] = {
    name: field for group in GROUPS.values() for name, field in group.model_fields.items()
}


def variable(name: str) -> str:
    """Return the environment variable of a setting, given its field name or a variable's name."""
    field = FIELDS.get(name.lower())
    alias = None if field is None else field.validation_alias
    if isinstance(alias, AliasChoices):
        return str(alias.choices[0])
    if alias is not None or name.isupper():
        return str(alias or name)
    return f"{PREFIX}{name.upper()}"


def former_variables(name: str) -> list[str]:
    """Return the former names of a setting's environment variable, which are still accepted."""
    alias = FIELDS[name].validation_alias
    return [str(choice) for choice in alias.choices[1:]] if isinstance(alias, AliasChoices) else []


def is_secret(name: str) -> bool:
    """Return whether the setting is a secret, which is never shown and can be read from a file."""
    annotation = FIELDS[name].annotation
    return SecretStr in (annotation, *get_args(annotation))


def accepted_variables() -> Mapping[str, str]:
    """Return the field of each accepted environment variable, including former names and names of secrets' files."""
    names = {each: name for name in FIELDS for each in (variable(name), *former_variables(name))}
    files = {each + FILE_SUFFIX: name for each, name in names.items() if is_secret(name)}
    return {**files, **names}


def by_group(values: Mapping[str, object]) -> dict[str, dict[str, object]]:
    """Return the values of each group. Raises `TypeError` for a name that is not a setting."""
    if unknown := values.keys() - FIELDS.keys():
        raise TypeError(f"There is no setting {', '.join(sorted(unknown))}.")
    return {
        group_name: {name: value for name, value in values.items() if name in group.model_fields}
        for group_name, group in GROUPS.items()
    }
