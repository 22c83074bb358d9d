"""Loads all groups of settings. An invalid value prevents the start, with one sentence that names its variable."""

from collections.abc import Mapping

from pydantic import ValidationError

from services.errors import StartupError
from services.settings.base import SettingsGroup
from services.settings.environment import NONE, Environment, read_environment
from services.settings.groups import GROUPS, Settings, by_group, variable
from services.settings.sentences import sentence


def load_settings(fallbacks: Mapping[str, str] = NONE, /, **overrides: object) -> Settings:
    """Read the settings; `overrides`, by field name, take precedence over the environment.

    `fallbacks` are variables of the environment, by field, for settings that are not set. Raises `StartupError` with
    one line per invalid value.
    """
    settings, problems = read_settings(fallbacks, **overrides)
    if problems:
        raise StartupError("\n".join(problems))
    return settings


def read_settings(fallbacks: Mapping[str, str] = NONE, /, **overrides: object) -> tuple[Settings, list[str]]:
    """Return the settings, with defaults in place of invalid values, and a sentence for each invalid value.

    Raises `StartupError` if the file `.env` can't be read or parsed.
    """
    environment = read_environment(fallbacks)
    problems = {name: words for name, words in environment.problems.items() if name not in overrides}
    parts = by_group({**environment.values, **overrides})
    groups = {name: _validated(group, parts[name], environment, problems) for name, group in GROUPS.items()}
    return Settings(**groups), list(problems.values())  # type: ignore[arg-type]  # `GROUPS` has the types of its fields


def default_settings(**values: object) -> Settings:
    """Return the defaults, with these values for some fields. Nothing is validated or read from the environment."""
    parts = by_group(values)
    groups = {name: group.model_construct(**parts[name]) for name, group in GROUPS.items()}  # type: ignore[arg-type]
    return Settings(**groups)  # type: ignore[arg-type]  # `GROUPS` has the types of its fields


def _validated(
    group: type[SettingsGroup], values: Mapping[str, object], environment: Environment, problems: dict[str, str]
) -> SettingsGroup:
    """Return the group with its valid values, and add a sentence to `problems` for each other one."""
    try:
        return group(**values)
    except ValidationError as error:
        names = {variable(name): name for name in group.model_fields}
        for each in error.errors():
            location = str(each["loc"][0])
            name = names.get(location, location)
            used = environment.variables.get(name, variable(name))
            words = sentence(name, used, kind=each["type"], value=each["input"], context=each.get("ctx", {}))
            problems.setdefault(name, words)
        return group(**{name: value for name, value in values.items() if name not in problems})
