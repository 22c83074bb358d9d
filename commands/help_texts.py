"""Commands whose help is plain text: sections of options and commands, and what an option takes (`TEXT`, `NUMBER`).

typer's own help needs rich, whose imports take longer than all else that a command imports.
"""

from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

WORDS = {str: "TEXT", int: "NUMBER", float: "NUMBER"}
MAX_WIDTH = 110  # characters; a wider terminal is not used
MAX_SUMMARY = 200  # characters of the first sentence of a command's help


class Command(TyperCommand):
    """A command whose help is plain text."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters, also `--help`."""
        return _named(super().get_params(ctx))

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the sections of arguments and options."""
        _write_options(self.get_params(ctx), ctx, formatter)


class Group(TyperGroup):
    """A group of commands whose help is plain text."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters, also `--help`."""
        return _named(super().get_params(ctx))

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the sections of options and commands."""
        _write_options(self.get_params(ctx), ctx, formatter)
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the sections of commands, each with the first sentence of its help."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            command: Any = self.get_command(ctx, name)
            row = (name, command.get_short_help_str(MAX_SUMMARY))
            sections.setdefault(command.rich_help_panel or "Commands", []).append(row)
        _write_sections(sections, formatter)


class App(typer.Typer):
    """An application or a group whose commands have plain text as help."""

    def __init__(self, **options: Any) -> None:
        super().__init__(rich_markup_mode=None, **options)

    def command(self, *args: Any, **options: Any) -> Callable[[Any], Any]:
        """Register a command as `typer.Typer.command` does."""
        return super().command(*args, cls=Command, **options)


def _named(parameters: list[Any]) -> list[Any]:
    for each in parameters:
        if isinstance(each, TyperOption) and each.metavar is None:
            each.metavar = "" if each.is_flag else WORDS.get(each.type_descriptor.annotation)
    return parameters


def _write_options(parameters: list[Any], ctx: Any, formatter: Any) -> None:
    sections: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
    for each in parameters:
        if row := each.get_help_record(ctx):
            is_argument = each.param_type_name == "argument"
            section = each.rich_help_panel or ("Arguments" if is_argument else "Options")
            sections.setdefault(section, []).append((each.metavar or row[0], row[1]) if is_argument else row)
    _write_sections(sections, formatter)


def _write_sections(sections: dict[str, list[tuple[str, str]]], formatter: Any) -> None:
    for name, rows in sections.items():
        if rows:
            with formatter.section(typer.style(name, bold=True)):
                formatter.write_dl(rows)
