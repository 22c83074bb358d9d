"""`rendercast webhooks`: what the receiver was told, and telling it again. For operators: it reads the store itself."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from commands.client.options import Json

if TYPE_CHECKING:
    from services.webhooks.messages import WebhookAttempt, WebhookMessage
    from services.webhooks.ports import Outbox

LIST_HELP = """\b
Examples:
  rendercast webhooks list --failed
  rendercast webhooks list --json | jq 'select(.attempts[-1].statusCode == 500) | .id'"""
SHOW_HELP = """\b
Example:
  rendercast webhooks show msg_01m817gzatj1v633w9kvyqtevh

Exit codes: 0 shown; 1 there is none with this id."""
REPLAY_HELP = """\b
Examples:
  rendercast webhooks replay msg_01m817gzatj1v633w9kvyqtevh
  rendercast webhooks replay --failed     # after the receiver was mended

Exit codes: 0 a worker sends them now, with the ids they had; 1 there is none with one of these ids; 2 wrong usage."""
SEND_TEST_HELP = """\b
It goes out from here, once, and is kept nowhere. Its type is webhook.test.

Exit codes: 0 the receiver has it; 1 it hasn't, and why."""

WIDTHS = (30, 9, 16, 19, 8)
HEADER = ("id", "status", "type", "occurred", "attempts", "last")
REPLAYED_AT_ONCE = 100

MessageId = Annotated[str, typer.Argument(help="Id of a message, or of its render.", metavar="ID")]

webhooks = typer.Typer(no_args_is_help=True)


@webhooks.callback()
def _about() -> None:
    """See what was sent to RENDERCAST_WEBHOOK_URL, and send it again.

    It reads the MongoDB of MONGODB_URL if that is set, else the data of `rendercast dev`, which may run meanwhile.
    """


@webhooks.command("list", epilog=LIST_HELP)
def list_messages(
    render: Annotated[str | None, typer.Option(metavar="ID", help="Only the message on this render.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only those that were given up.")] = False,
    first: Annotated[int, typer.Option(min=1, help="How many at most.")] = 20,
    as_json: Json = False,
) -> None:
    """List messages, the newest events first. They are kept for 30 days after they were delivered or given up."""
    from services.models import WebhookStatus
    from services.webhooks.messages import message_id

    async def find(outbox: "Outbox") -> None:
        if render is None:
            found = await outbox.list(first=first, status=WebhookStatus.FAILED if failed else None)
        else:
            one = await outbox.get(message_id(render))
            found = [one] if one and (one.status is WebhookStatus.FAILED or not failed) else []
        _write_list(found, as_json=as_json)

    _run(find)


@webhooks.command(epilog=SHOW_HELP)
def show(message: MessageId, as_json: Json = False) -> None:
    """Show a message with the record of each attempt to deliver it."""
    from commands.client.views import write_json

    async def find(outbox: "Outbox") -> None:
        found = await _get(outbox, message)
        if as_json:
            write_json(_as_json(found))
            return
        due = f", due {_time(found.due_at)}" if found.due_at else ""
        _say(f"{found.id}  {found.event_type} of {_time(found.occurred_at)}: {found.status}{due}")
        for attempt in found.attempts:
            again = f"; again at {_time(attempt.next_attempt_at)}" if attempt.next_attempt_at else ""
            took = "" if attempt.duration_s is None else f" after {attempt.duration_s:.3f} s"
            _say(f"  {attempt.number:>3}  {_time(attempt.began_at)}  {_what_came(attempt)}{took}{again}")

    _run(find)


@webhooks.command(epilog=REPLAY_HELP)
def replay(
    messages: Annotated[
        list[str] | None, typer.Argument(help="Ids of messages, or of their renders.", metavar="ID")
    ] = None,
    failed: Annotated[bool, typer.Option("--failed", help="All that were given up.")] = False,
) -> None:
    """Have messages sent again: at once, and by the whole schedule if that fails."""
    if bool(messages) is failed:
        raise typer.BadParameter("Name messages, or say --failed.")

    async def send_again(outbox: "Outbox") -> None:
        chosen = _all_failed(outbox) if failed else _all_of(outbox, messages or [])
        async for message in chosen:
            _say(f"{await _replay(outbox, message)} is sent again.")

    _run(send_again)


@webhooks.command(epilog=SEND_TEST_HELP)
def send_test() -> None:
    """Send a message without meaning, to see whether the receiver gets it and finds its signature good."""
    import asyncio

    from services.errors import StartupError
    from services.runtime.adapters import send_test_webhook
    from services.settings import load_settings

    outcome = asyncio.run(send_test_webhook(load_settings()))
    if not outcome.is_success:
        raise StartupError(f"The receiver doesn't have it: {outcome.error or f'it answered {outcome.status_code}'}.")
    _say(f"The receiver has it: it answered {outcome.status_code}.")


def _run(work: "Callable[[Outbox], Awaitable[None]]") -> None:
    """Do the work on the messages of the store. What can't be done ends the command with a sentence."""
    import asyncio

    from services.errors import StartupError, StoreUnavailable
    from services.runtime.adapters import open_outbox
    from services.settings import load_settings

    async def on_outbox() -> None:
        async with open_outbox(load_settings()) as outbox:
            await work(outbox)

    try:
        asyncio.run(on_outbox())
    except StoreUnavailable as error:
        raise StartupError(str(error)) from error


async def _get(outbox: "Outbox", message: str) -> "WebhookMessage":
    from services.errors import StartupError
    from services.webhooks.messages import message_id

    found = await outbox.get(message_id(message))
    if found is None:
        raise StartupError(f"There is no message {message_id(message)}; they are kept for 30 days.")
    return found


async def _all_of(outbox: "Outbox", ids: list[str]) -> "AsyncIterator[WebhookMessage]":
    found = [await _get(outbox, each) for each in ids]  # all of them, before one is sent
    for message in found:
        yield message


async def _all_failed(outbox: "Outbox") -> "AsyncIterator[WebhookMessage]":
    """Yield each that was given up, once: a receiver that says 410 again would make this endless."""
    from services.models import WebhookStatus

    done: set[str] = set()
    while True:
        found = await outbox.list(first=len(done) + REPLAYED_AT_ONCE, status=WebhookStatus.FAILED)
        if not (new := [message for message in found if message.id not in done]):
            return
        done.update(message.id for message in new)
        for message in new:
            yield message


async def _replay(outbox: "Outbox", message: "WebhookMessage") -> str:
    """Have the message sent again; also if a worker changes it in between."""
    from services.webhooks.messages import replay

    while not await outbox.record(replay(message)):
        message = await _get(outbox, message.id)
    return message.id


def _write_list(messages: "Sequence[WebhookMessage]", *, as_json: bool) -> None:
    from commands.client.views import write_json

    if messages and not as_json:
        _say(_row(HEADER))
    for message in messages:
        if as_json:
            write_json(_as_json(message))
        else:
            last = _what_came(message.attempts[-1]) if message.attempts else ""
            cells = (message.id, message.status, message.event_type, _time(message.occurred_at))
            _say(_row((*cells, str(len(message.attempts)), last)))


def _row(cells: tuple[str, ...]) -> str:
    before = "  ".join(cell.ljust(width) for cell, width in zip(cells, WIDTHS, strict=False))
    return f"{before}  {cells[-1]}".rstrip()


def _what_came(attempt: "WebhookAttempt") -> str:
    if not attempt.has_ended:
        return "no answer yet, or its worker has died"
    return attempt.error or f"answered {attempt.status_code}"


def _as_json(message: "WebhookMessage") -> dict[str, object]:
    """Return all that is recorded; what was sent is not, since it may be somebody's."""
    return {
        "id": message.id,
        "renderId": message.render.id,
        "type": message.event_type,
        "status": message.status.name,
        "occurredAt": _iso(message.occurred_at),
        "dueAt": _iso(message.due_at),
        "attempts": [
            {
                "number": attempt.number,
                "beganAt": _iso(attempt.began_at),
                "durationSeconds": attempt.duration_s,
                "statusCode": attempt.status_code,
                "error": attempt.error,
                "nextAttemptAt": _iso(attempt.next_attempt_at),
            }
            for attempt in message.attempts
        ],
    }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat()


def _time(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


def _say(words: str) -> None:
    from commands.client.views import printable

    typer.echo(printable(words))
