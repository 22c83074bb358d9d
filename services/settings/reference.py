"""Generates docs/settings.md from the groups: each setting with its default and meaning."""

import inspect
from collections.abc import Iterator
from pathlib import Path

from services.settings.base import CHECKOUT
from services.settings.groups import FIELDS, GROUPS, former_variables, is_secret, variable

HEAD = """\
# Settings

Rendercast reads its settings from environment variables, and from the file `.env` in the folder where it is started.
The environment takes precedence. An empty variable counts as unset. An invalid value prevents the start, with a message
that names the variable; so does a line of `.env` that can't be parsed, with its number. An unknown variable
`RENDERCAST_…` is logged. `rendercast doctor` checks the settings and the services that they refer to.
[`.env.example`](../.env.example) is a template. `${NAME}` in a value of `.env` stands for that variable, also in single
quotes, where Docker Compose keeps it: use no `${` in a secret. A leading `~` in a path stands for the home folder.

A secret can be read from a file instead: `RENDERCAST_JWT_SECRET_FILE=/run/secrets/jwt` sets `RENDERCAST_JWT_SECRET` to
the content of that file. This works for each variable with `…_FILE` below. The file is text in UTF-8 of at most 64 KiB;
line ends at its end are removed. It is read at the start only. Set a variable or its `…_FILE`, not both.

This page is generated from the code: `make settings`.
"""
TITLES = {
    "server": "Server",
    "storage": "Storage",
    "outputs": "Output storage",
    "auth": "Authentication",
    "renders": "Renders",
    "renderer": "Renderer",
    "own_machines": "Remotion on your own machines",
    "remotion": "Remotion Lambda",
    "webhooks": "Webhooks",
    "worker": "Workers",
    "connections": "Connections",
    "graphql": "GraphQL",
    "pages": "Pages",
    "logging": "Logging",
    "metrics": "Metrics",
}


def default_text(name: str) -> str:
    """Return the default of a setting in the syntax of `.env`; empty if it is unset."""
    match FIELDS[name].default:
        case None:
            return ""
        case bool(value):
            return str(value).lower()
        case Path() as path:
            return str(path.relative_to(CHECKOUT) if path.is_relative_to(CHECKOUT) else path)
        case value:
            return str(value)


def row(name: str) -> str:
    """Return the table row of a setting: variable, default, meaning."""
    default = default_text(name)
    file = " or `…_FILE`" if is_secret(name) else ""
    return f"| `{variable(name)}`{file} | {f'`{default}`' if default else ''} | {FIELDS[name].description} |"


def reference() -> str:
    """Return the whole page."""
    return "\n".join([HEAD, *(f"{section}\n" for section in _sections()), _former()])


def _sections() -> Iterator[str]:
    for group_name, group in GROUPS.items():
        head = f"## {TITLES[group_name]}\n\n{inspect.getdoc(group)}\n\n| Variable | Default | Meaning |\n|---|---|---|"
        yield "\n".join([head, *(row(name) for name in group.model_fields)])


def _former() -> str:
    rows = "\n".join(f"| `{former}` | `{variable(name)}` |" for name in FIELDS for former in former_variables(name))
    return (
        "## Former names\n\nThese are still accepted. `RENDERCAST_RENDERER=local` is accepted for `text`.\n\n"
        f"| Former variable | Variable |\n|---|---|\n{rows}\n"
    )
