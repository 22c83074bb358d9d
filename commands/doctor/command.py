"""`rendercast doctor`: what is wrong with the settings and with what they name."""

from typing import Annotated

import typer

from commands.client.options import Json, Role

HELP = """\b
Examples:
  rendercast doctor                    # all that the settings name
  rendercast doctor --role worker      # all that `rendercast worker` needs
  rendercast doctor --json | jq 'select(.result == "WRONG")'

It changes nothing that lasts: it makes MongoDB's indexes, which a start makes too, says a word on Redis, and stores a
probe in the bucket that it removes if it may.

Exit codes: 0 nothing is wrong; 1 something is; 2 wrong usage."""
WIDTH = 18


def doctor(
    role: Annotated[
        Role | None, typer.Option(help="Look with the eyes of this command; else at all that is set.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Look at the settings and what they name: MongoDB, Redis, the issuer, Lambda, S3. Says what to mend."""
    import asyncio
    import logging

    from commands.client.views import printable, write_json
    from commands.doctor.checks import diagnose
    from commands.doctor.report import Result

    logging.getLogger().addHandler(logging.NullHandler())  # what drivers say is said in sentences
    is_well = True
    for finding in asyncio.run(diagnose(role)):
        is_well = is_well and finding.result is not Result.WRONG
        if as_json:
            write_json({"check": finding.check, "result": finding.result, "message": finding.sentence})
        else:
            typer.echo(printable(f"{finding.result:<8} {finding.check:<{WIDTH}} {finding.sentence}"))
    if not is_well:
        raise typer.Exit(1)
