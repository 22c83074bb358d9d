"""Errors that end a client command, with their exit codes.

CommandError                     exit code 1: the server returned an error, the render failed, a file can't be written
├── ServerUnreachableError       3: no server, or no response in time
├── QuotaExceededError           4
└── InterruptedCommandError      128 plus the signal's number, as in shells: 130 for Ctrl-C

typer reports wrong usage, with exit code 2.
"""

import signal


class CommandError(Exception):
    """The command failed. The message is a sentence for users; `code` and `details` are for programs."""

    exit_code: int = 1

    def __init__(self, message: str, *, code: str, **details: object) -> None:
        self.code = code
        self.details = details
        super().__init__(message)


class ServerUnreachableError(CommandError):
    """The server sent no usable response. With `response_lost`, it may have executed the request."""

    exit_code = 3

    def __init__(
        self, message: str, *, code: str = "UNREACHABLE", response_lost: bool = False, **details: object
    ) -> None:
        self.response_lost = response_lost
        super().__init__(message, code=code, **details)


class QuotaExceededError(CommandError):
    """No render can be started before the quota's window ends."""

    exit_code = 4


class InterruptedCommandError(CommandError):
    """A signal has ended the command."""

    def __init__(self, number: signal.Signals) -> None:
        self.exit_code = 128 + number
        super().__init__("Interrupted.", code="INTERRUPTED")
