"""`rendercast compositions refresh`: discovers the compositions. For operators: it accesses store and renderer."""

from typing import TYPE_CHECKING

import typer

from commands.client.options import Json
from commands.server.stop_signals import exit_on_stop_signals

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from services.models import Catalog
    from services.settings import Settings

HELP = """\b
Examples:
  rendercast compositions refresh
  rendercast compositions refresh --json | jq .added

Workers do the same when they start and when the site changes. Servers use the new list within seconds.

Exit codes: 0 the list is stored; 1 it is not, with the reason, and the former list stays."""


def refresh(as_json: Json = False) -> None:
    """Discover the compositions now and store the list, using the settings of the server.

    Uses the MongoDB of MONGODB_URL if that is set, else the data of `rendercast dev`, which may be running.
    """
    exit_on_stop_signals()
    from commands.server.interruption import run_interruptibly
    from services.settings import load_settings

    run_interruptibly(_refresh(load_settings(), as_json=as_json), message="Interrupted. Run it again.")


async def _refresh(settings: "Settings", *, as_json: bool) -> None:
    from commands.client.views import printable, write_json
    from services.errors import StartupError, Unavailable
    from services.runtime.maintenance import refresh_compositions

    try:
        former, catalog = await refresh_compositions(settings)
    except Unavailable as error:
        raise StartupError(f"The compositions can't be refreshed: {str(error).rstrip('.')}.") from error
    changes = changes_between(former, catalog)
    if as_json:
        write_json({"compositions": [each.id for each in catalog.compositions], **changes})
    else:
        typer.echo(printable("\n".join([_summary(catalog, changes), *_lines(changes)])))


def changes_between(former: "Catalog | None", catalog: "Catalog") -> "Mapping[str, Sequence[str]]":
    """Return the ids of the compositions that were added, removed and changed, in the order of the catalogs."""
    before = {} if former is None else {each.id: each for each in former.compositions}
    now = {each.id: each for each in catalog.compositions}
    return {
        "added": [each for each in now if each not in before],
        "removed": [each for each in before if each not in now],
        "changed": [each for each in now if each in before and now[each] != before[each]],
    }


def _summary(catalog: "Catalog", changes: "Mapping[str, Sequence[str]]") -> str:
    count = len(catalog.compositions)
    found = f"{count} composition{'' if count == 1 else 's'}"
    return f"{found}." if any(changes.values()) else f"{found}; nothing has changed."


def _lines(changes: "Mapping[str, Sequence[str]]") -> "Iterator[str]":
    for change, ids in changes.items():
        for each in ids:
            yield f"{change:<8} {each}"
