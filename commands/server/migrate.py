"""`rendercast migrate`: prepares MongoDB for this version."""

import typer

from commands.server.stop_signals import exit_on_stop_signals

HELP = """\b
Run it before the first process of a new version starts, with a user who may build indexes. The processes then need
no such permission. It can be repeated, interrupted, and run by several processes at once. Documents are not changed.

Exit codes: 0 all indexes exist; 1 not all do, with the reason."""


def migrate() -> None:
    """Build the missing indexes of the MongoDB at MONGODB_URL, however long that takes."""
    exit_on_stop_signals()
    from commands.server.interruption import run_interruptibly
    from services.runtime.maintenance import migrate_store
    from services.settings import load_settings

    message = "Interrupted. The indexes built so far stay; run `rendercast migrate` again for the others."
    run_interruptibly(migrate_store(load_settings(), typer.echo), message=message)
