"""`rendercast doctor`: checks the settings and the services that they refer to."""

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

It stores a document in MongoDB and test objects in the bucket, which it deletes, and publishes a message on Redis. It
changes nothing else.

Exit codes: 0 no check is WRONG; 1 a check is WRONG; 2 wrong usage."""
WIDTH = 18


def doctor(
    role: Annotated[
        Role | None, typer.Option(help="Check what this command needs. Default: everything that is set.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check the settings and what they refer to (MongoDB, Redis, the issuer, Lambda, S3), and report what to fix."""
    exit_on_stop_signals()
    import asyncio
    import logging

    from commands.client.views import printable, write_json
    from commands.doctor.checks import diagnose
    from commands.doctor.report import Result

    logging.getLogger().addHandler(logging.NullHandler())  # drivers' log lines would repeat the findings
    is_ok = True
    for finding in asyncio.run(diagnose(role)):
        is_ok = is_ok and finding.result is not Result.WRONG
        if as_json:
            write_json({"check": finding.check, "result": finding.result, "message": finding.sentence})
        else:
            typer.echo(printable(f"{finding.result:<8} {finding.check:<{WIDTH}} {finding.sentence}"))
    if not is_ok:
        raise typer.Exit(1)
