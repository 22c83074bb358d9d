"""`rendercast forget`: erases what is stored about one owner. For operators: it accesses store and storage directly."""

from typing import TYPE_CHECKING, Annotated

import typer

from commands.server.stop_signals import exit_on_stop_signals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.renders.erasure import Erasure
    from services.settings import Settings

HELP = """\b
Examples:
  rendercast forget 'https://issuer.example 1234' --dry-run
  rendercast forget 'rendercast alice'

Unfinished renders are cancelled first; a worker must be running to cancel those that it renders. Revoke the user's
access before, since a user who still has it can start renders. For the text renderer, run it where
RENDERCAST_DATA_DIR is. What remains: docs/operating.md, "Erasing a user's data".

Exit codes: 0 everything is erased; 1 something is not, with the reason; 2 wrong usage. It can be repeated."""
MAX_NAMED = 5


def forget(
    owner: Annotated[str, typer.Argument(help="The owner of renders, as the API shows it: issuer, space, subject.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would be erased.")] = False,
) -> None:
    """Erase a user's renders, videos, posters, webhook messages and quota."""
    exit_on_stop_signals()
    if not owner.strip():
        raise typer.BadParameter("the owner is empty; it is the issuer, a space and the subject.")
    from commands.server.interruption import run_interruptibly
    from services.settings import load_settings

    message = "Interrupted. What was erased so far stays so; run it again for the rest."
    run_interruptibly(_forget(load_settings(), owner, dry_run=dry_run), message=message)


async def _forget(settings: "Settings", owner: str, *, dry_run: bool) -> None:
    from services.errors import StartupError, Unavailable
    from services.runtime.maintenance import open_eraser

    try:
        async with open_eraser(settings) as eraser:
            erasure = await (eraser.preview(owner) if dry_run else eraser.erase(owner))
    except Unavailable as error:
        raise StartupError(f"Not everything is erased: {error}. Run it again.") from error
    typer.echo(_summary(owner, erasure, dry_run=dry_run))
    if not dry_run and erasure.unfinished:
        raise StartupError(f"Not erased, since no worker has ended them yet: {_named(erasure.unfinished)}.")
    if erasure.unreadable:
        raise StartupError(
            f"Not erased, since this version can't read them: {_named(erasure.unreadable)}. "
            "Run the command of the newest version that is in use."
        )


def _summary(owner: str, erasure: "Erasure", *, dry_run: bool) -> str:
    if erasure.is_empty:
        return f"Nothing is stored about {owner}."
    parts = [
        _counted(erasure.renders, "render") + " with the stored files",
        _counted(erasure.messages, "webhook message"),
        "the quota of " + _counted(erasure.quota_windows, "window"),
    ]
    sentences = [f"{'Would erase' if dry_run else 'Erased'} {parts[0]}, {parts[1]} and {parts[2]}."]
    if dry_run and erasure.unfinished:
        sentences.append(f"Would first cancel {_counted(len(erasure.unfinished), 'unfinished render')}.")
    if erasure.without_file:
        sentences.append(f"No video was found of {_counted(erasure.without_file, 'complete render')}.")
    return " ".join(sentences)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")


def _named(ids: "Sequence[str]") -> str:
    more = len(ids) - MAX_NAMED
    return ", ".join(ids[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")
