"""`rendercast doctor`: checks the settings and the services that they refer to."""

import sys
from typing import Annotated

import typer

from commands.client.options import Json
from commands.doctor.role import Role
from commands.server.stop_signals import exit_on_stop_signals

HELP = """\b
Examples:
  rendercast doctor                    # check everything that the settings refer to
  rendercast doctor --role worker      # check everything that `rendercast worker` needs
  rendercast doctor --json | jq 'select(.result == "WRONG")'
  rendercast doctor --token -          # say why `rendercast serve` refuses the token on standard input

It stores a document in MongoDB and test objects in the bucket, which it deletes, and publishes a message on Redis. It
changes nothing else.

Exit codes: 0 no check is WRONG; 1 a check is WRONG; 2 wrong usage."""
WIDTH = 18
MAX_INPUT_CHARACTERS = 64 * 1024


def doctor(
    role: Annotated[
        Role | None, typer.Option(help="Check what this command needs. Default: everything that is set.")
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(metavar="-", help="Only explain one user's token, which is read from standard input."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check the settings and what they refer to (MongoDB, Redis, the issuer, Lambda, S3), and report what to fix."""
    exit_on_stop_signals()
    import asyncio
    import logging

    from commands.client.views import printable, write_json
    from commands.doctor.checks import check_settings, diagnose
    from commands.doctor.report import Result
    from commands.doctor.token_checks import explain_token

    logging.getLogger().addHandler(logging.NullHandler())  # drivers' log lines would repeat the findings
    if token is None:
        findings = asyncio.run(diagnose(role))
    else:
        settings, findings = check_settings(Role.SERVE)
        findings = [*findings, *asyncio.run(explain_token(settings, read_token(token)))]
    is_ok = True
    for finding in findings:
        is_ok = is_ok and finding.result is not Result.WRONG
        if as_json:
            write_json({"check": finding.check, "result": finding.result, "message": finding.sentence})
        else:
            typer.echo(printable(f"{finding.result:<8} {finding.check:<{WIDTH}} {finding.sentence}"))
    if not is_ok:
        raise typer.Exit(1)


def read_token(source: str) -> str:
    """Return the text on standard input. Raises `typer.BadParameter` unless `source` is `-`: others see arguments."""
    if source != "-":
        raise typer.BadParameter("Only `--token -` is accepted: a token among the arguments is visible to others.")
    return sys.stdin.read(MAX_INPUT_CHARACTERS)
