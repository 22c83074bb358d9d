"""`rendercast doctor`: checks the settings and the services that they refer to."""

import shutil
import sys
import textwrap
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from commands.client.options import Json
from commands.doctor.role import Role
from commands.server.stop_signals import exit_on_stop_signals

if TYPE_CHECKING:
    from commands.doctor.report import Finding

HELP = """\b
Examples:
  rendercast doctor                    # check everything that the settings refer to
  rendercast doctor --role worker      # check everything that `rendercast worker` needs
  rendercast doctor --json | jq 'select(.result == "WRONG")'
  rendercast doctor --token -          # say why `rendercast serve` rejects the token on standard input

It stores a document in MongoDB and test objects in the bucket, which it deletes, and publishes a message on Redis. It
changes nothing else.

Exit codes: 0 no check is WRONG; 1 a check is WRONG; 2 wrong usage."""
NAME_WIDTH, RESULT_WIDTH = 18, 8
COLORS = {"OK": "green", "WARNING": "yellow", "WRONG": "red", "SKIPPED": "bright_black"}
MAX_INPUT_CHARACTERS = 64 * 1024


def doctor(
    role: Annotated[
        Role | None, typer.Option(help="Check what this command needs. Default: everything that is set.")
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(metavar="-", help="Only explain one user's token, which is read from standard input."),
    ] = None,
    list_all: Annotated[bool, typer.Option("--all", help="List the checks that are skipped too.")] = False,
    as_json: Json = False,
) -> None:
    """Check the settings and what they refer to (MongoDB, Redis, the issuer, Lambda, S3), and report what to fix."""
    exit_on_stop_signals()
    import asyncio
    import logging

    from commands.client.views import write_json
    from commands.doctor.checks import check_settings, diagnose
    from commands.doctor.report import Result
    from commands.doctor.token_checks import explain_token

    logging.getLogger().addHandler(logging.NullHandler())  # drivers' log lines would repeat the findings
    if token is None:
        findings = asyncio.run(diagnose(role))
    else:
        settings, findings = check_settings(Role.SERVE)
        findings = [*findings, *asyncio.run(explain_token(settings, read_token(token)))]
    for finding in findings:
        if as_json:
            write_json({"check": finding.check, "result": finding.result, "message": finding.sentence})
        elif list_all or finding.result is not Result.SKIPPED:
            typer.echo(_line(finding))
    if not as_json:
        typer.echo(_summary(findings, list_all=list_all))
    if any(finding.result is Result.WRONG for finding in findings):
        raise typer.Exit(1)


def _line(finding: "Finding") -> str:
    """Return a finding, wrapped and in colour on a terminal."""
    from commands.client.views import printable

    result = typer.style(f"{finding.result:<{RESULT_WIDTH}}", fg=COLORS[finding.result])
    text, indent = printable(f"{finding.check:<{NAME_WIDTH}} {finding.sentence}"), NAME_WIDTH + RESULT_WIDTH + 2
    if sys.stdout.isatty():
        width = max(2 * indent, shutil.get_terminal_size().columns)
        text = textwrap.fill(
            text,
            width=width - RESULT_WIDTH - 1,
            subsequent_indent=" " * indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
    return f"{result} {text}"


def _summary(findings: Sequence["Finding"], *, list_all: bool) -> str:
    """Return the versions and the number of checks of each result."""
    from importlib.metadata import version
    from platform import python_version

    counts = Counter(str(finding.result) for finding in findings)
    results = ", ".join(f"{counts[name]} {name}" for name in COLORS if counts[name])
    hint = " (--all lists them)" if counts["SKIPPED"] and not list_all else ""
    return f"rendercast {version('rendercast')}, Python {python_version()}: {results}{hint}"


def read_token(source: str) -> str:
    """Return the text on standard input. Raises `typer.BadParameter` unless `source` is `-`: others see arguments."""
    if source != "-":
        raise typer.BadParameter("Only `--token -` is accepted: a token among the arguments is visible to others.")
    return sys.stdin.read(MAX_INPUT_CHARACTERS)
