"""`rendercast webhooks`: lists and replays webhook messages. For operators: it accesses the store directly."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from commands.client.options import Json
from commands.help_texts import App, Group
from commands.server.stop_signals import exit_on_stop_signals

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

Exit codes: 0 shown; 1 there is no message with this id."""
REPLAY_HELP = """\b
Examples:
  rendercast webhooks replay msg_01m817gzatj1v633w9kvyqtevh
  rendercast webhooks replay --failed     # after the receiver was fixed

Exit codes: 0 a worker sends them now, with their former ids; 1 an id is unknown; 2 wrong usage."""
SEND_TEST_HELP = """\b
This process sends it once and does not store it. Its type is webhook.test.

Exit codes: 0 delivered; 1 not delivered, with the reason."""

WIDTHS = (36, 9, 16, 19, 8)
HEADER = ("id", "status", "type", "occurred", "attempts", "last")
REPLAY_BATCH = 100

MessageId = Annotated[str, typer.Argument(help="Id of a message, or of its render.", metavar="ID")]

webhooks = App(cls=Group, no_args_is_help=True)


@webhooks.callback()
def _about() -> None:
    """List the messages to RENDERCAST_WEBHOOK_URL, and send them again.

    Uses the MongoDB of MONGODB_URL if that is set, else the data of `rendercast dev`, which may be running.
    """
    exit_on_stop_signals()


@webhooks.command("list", epilog=LIST_HELP)
def list_messages(
    render: Annotated[str | None, typer.Option(metavar="ID", help="Only the message about this render.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only those whose delivery failed.")] = False,
    first: Annotated[int, typer.Option(min=1, help="Maximum number.")] = 20,
    as_json: Json = False,
) -> None:
    """List messages, newest events first. They are stored for 30 days after they were delivered or have failed."""
    from services.models import WebhookStatus
    from services.webhooks.messages import message_id

    async def write(outbox: "Outbox") -> None:
        if render is None:
            found = await outbox.list(first=first, status=WebhookStatus.FAILED if failed else None)
        else:
            one = await outbox.get(message_id(render))
            found = [one] if one and (one.status is WebhookStatus.FAILED or not failed) else []
        _write_list(found, as_json=as_json)

    _run(write)


@webhooks.command(epilog=SHOW_HELP)
def show(message: MessageId, as_json: Json = False) -> None:
    """Show a message with its delivery attempts."""
    from commands.client.views import write_json

    async def write(outbox: "Outbox") -> None:
        found = await _get(outbox, message)
        if as_json:
            write_json(_as_json(found))
            return
        due = f", due {_time(found.due_at)}" if found.due_at else ""
        _say(f"{found.id}  {found.event_type} of {_time(found.occurred_at)}: {found.status}{due}")
        for attempt in found.attempts:
            retry = f"; retry at {_time(attempt.next_attempt_at)}" if attempt.next_attempt_at else ""
            took = "" if attempt.duration_s is None else f" after {attempt.duration_s:.3f} s"
            _say(f"  {attempt.number:>3}  {_time(attempt.started_at)}  {_result_of(attempt)}{took}{retry}")

    _run(write)


@webhooks.command(epilog=REPLAY_HELP)
def replay(
    messages: Annotated[
        list[str] | None, typer.Argument(help="Ids of messages, or of their renders.", metavar="ID")
    ] = None,
    failed: Annotated[bool, typer.Option("--failed", help="All whose delivery failed.")] = False,
) -> None:
    """Send messages again: immediately, and with all retries if that fails."""
    if bool(messages) is failed:
        raise typer.BadParameter("Give ids, or --failed.")

    async def replay_all(outbox: "Outbox") -> None:
        chosen = _all_failed(outbox) if failed else _all_of(outbox, messages or [])
        async for message in chosen:
            _say(f"{await _replay(outbox, message)} is queued for delivery.")

    _run(replay_all)


@webhooks.command(epilog=SEND_TEST_HELP)
def send_test() -> None:
    """Send a test message, to check that the receiver gets it and accepts its signature."""
    import asyncio

    from services.errors import StartupError
    from services.runtime.adapters import send_test_webhook
    from services.settings import load_settings

    result = asyncio.run(send_test_webhook(load_settings()))
    if not result.is_success:
        raise StartupError(f"The test message was not delivered: {result.error or f'status {result.status_code}'}.")
    _say(f"The test message was delivered: status {result.status_code}.")


def _run(work: "Callable[[Outbox], Awaitable[None]]") -> None:
    """Run `work` on the outbox of the configured store. Raises `StartupError` if that is unavailable."""
    import asyncio

    from services.errors import StartupError, StoreUnavailable
    from services.runtime.adapters import open_outbox
    from services.settings import load_settings

    async def with_outbox() -> None:
        async with open_outbox(load_settings()) as outbox:
            await work(outbox)

    try:
        asyncio.run(with_outbox())
    except StoreUnavailable as error:
        raise StartupError(str(error)) from error


async def _get(outbox: "Outbox", message: str) -> "WebhookMessage":
    from services.errors import StartupError
    from services.webhooks.messages import message_id

    found = await outbox.get(message_id(message))
    if found is None:
        raise StartupError(f"There is no message {message_id(message)}; messages are stored for 30 days.")
    return found


async def _all_of(outbox: "Outbox", ids: list[str]) -> "AsyncIterator[WebhookMessage]":
    found = [await _get(outbox, each) for each in ids]  # so that an unknown id is reported before any is sent
    for message in found:
        yield message


async def _all_failed(outbox: "Outbox") -> "AsyncIterator[WebhookMessage]":
    """Yield each failed message once. One that fails again in the meantime would otherwise be yielded repeatedly."""
    from services.models import WebhookStatus

    done: set[str] = set()
    while True:
        found = await outbox.list(first=len(done) + REPLAY_BATCH, status=WebhookStatus.FAILED)
        if not (new := [message for message in found if message.id not in done]):
            return
        done.update(message.id for message in new)
        for message in new:
            yield message


async def _replay(outbox: "Outbox", message: "WebhookMessage") -> str:
    """Make the message due for delivery, retrying if a worker changes it concurrently. Return its id."""
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
            last = _result_of(message.attempts[-1]) if message.attempts else ""
            cells = (message.id, message.status, message.event_type, _time(message.occurred_at))
            _say(_row((*cells, str(len(message.attempts)), last)))


def _row(cells: tuple[str, ...]) -> str:
    padded = "  ".join(cell.ljust(width) for cell, width in zip(cells, WIDTHS, strict=False))
    return f"{padded}  {cells[-1]}".rstrip()


def _result_of(attempt: "WebhookAttempt") -> str:
    if not attempt.has_ended:
        return "no response yet, or its worker has crashed"
    return attempt.error or f"status {attempt.status_code}"


def _as_json(message: "WebhookMessage") -> dict[str, object]:
    """Return the message's record without its body, which may contain users' data."""
    return {
        "id": message.id,
        "renderId": message.render.id,
        "batchId": None if message.batch is None else message.batch.id,
        "type": message.event_type,
        "status": message.status.name,
        "occurredAt": _iso(message.occurred_at),
        "dueAt": _iso(message.due_at),
        "attempts": [
            {
                "number": attempt.number,
                "beganAt": _iso(attempt.started_at),
                "durationSeconds": attempt.duration_s,
                "statusCode": attempt.status_code,
                "error": attempt.error,
                "nextAttemptAt": _iso(attempt.next_attempt_at),
            }
            for attempt in message.attempts
        ],
    }


def _iso(moment: datetime | None) -> str | None:
    from services.clock import format_time

    return None if moment is None else format_time(moment)


def _time(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


def _say(text: str) -> None:
    from commands.client.views import printable

    typer.echo(printable(text))
