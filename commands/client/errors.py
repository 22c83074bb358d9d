"""How a command ends that could not do what it was told to.

CommandError      exit code 1: the server said no, the render failed, a file can't be written
├── Unreachable   3: no server, or not in time
├── OverQuota     4
└── Interrupted   128 and the signal's number, as shells have it: 130 for Ctrl-C

Wrong usage is typer's, with exit code 2.
"""

import signal
from typing import ClassVar


class CommandError(Exception):  # these are named for what happened
    """The command can't be done. The message is a sentence for people; `code` and `details` are for programs."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, code: str, **details: object) -> None:
        self.code = code
        self.details = details
        super().__init__(message)

    @property
    def status(self) -> int:
        """The exit code of the process."""
        return self.exit_code


class Unreachable(CommandError):
    """The server can't be asked now. `lost` if only its answer is missing, so that it may have done as asked."""

    exit_code = 3

    def __init__(self, message: str, *, code: str = "UNREACHABLE", lost: bool = False, **details: object) -> None:
        self.lost = lost
        super().__init__(message, code=code, **details)


class OverQuota(CommandError):
    """No render can be started before the quota's window ends."""

    exit_code = 4


class Interrupted(CommandError):
    """The user wants the command to end."""

    def __init__(self, number: signal.Signals) -> None:
        self.number = number
        super().__init__("Interrupted.", code="INTERRUPTED")

    @property
    def status(self) -> int:
        """The exit code of the process."""
        return 128 + self.number
