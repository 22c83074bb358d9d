"""Errors of client commands: their exit codes, and what is printed.

The errors of `rendercast.client` and these end a command. typer reports wrong usage, with exit code 2.
"""

import signal
from typing import TYPE_CHECKING

from rendercast.client import (
    IdempotencyKeyReused,
    InvalidAnimation,
    InvalidInput,
    RendercastError,
    RenderQuotaExceeded,
    ServerUnreachable,
    Unauthenticated,
)

if TYPE_CHECKING:
    from commands.client.options import Server

FAILED = 1
UNREACHABLE = 3  # no server, or no response in time
QUOTA_EXCEEDED = 4
MINUTE_S = 60


class CommandError(RendercastError):
    """The command failed. The message is a sentence for users; `code` and `details` are for programs."""

    def __init__(self, message: str, *, code: str, exit_code: int = FAILED, **details: object) -> None:
        self.code = code
        self.exit_code = exit_code
        self.details = details
        super().__init__(message)


class InterruptedCommandError(CommandError):
    """A signal has ended the command. The exit code is 128 plus its number, as in shells: 130 for Ctrl-C."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__("Interrupted.", code="INTERRUPTED", exit_code=128 + number)


def exit_code_of(error: RendercastError) -> int:
    """Return the exit code of a command that ends with this error."""
    match error:
        case CommandError():
            return error.exit_code
        case ServerUnreachable():
            return UNREACHABLE
        case RenderQuotaExceeded():
            return QUOTA_EXCEEDED
        case _:
            return FAILED


def message_of(error: RendercastError, server: "Server") -> str:
    """Return the message of an error, with what to do about it on the command line."""
    match error:
        case Unauthenticated():
            hint = "Check RENDERCAST_TOKEN." if server.token else "Set RENDERCAST_TOKEN to your token for this server."
            return f"{error} {hint}"
        case RenderQuotaExceeded():
            return f"{error} Try again in {max(1, round(error.retry_after_seconds / MINUTE_S))} min."
        case _:
            return str(error)


def details_of(error: RendercastError) -> dict[str, object]:
    """Return what `--json` writes of an error besides its code and message."""
    match error:
        case CommandError():
            return error.details
        case RenderQuotaExceeded():
            return {name: error.raw[name] for name in ("retryAfterSeconds", "quota")}
        case InvalidAnimation() | InvalidInput():
            return {"problems": error.raw["problems"]}
        case IdempotencyKeyReused():
            return {"renderId": error.render.id}
        case _:
            return {}
