"""The base classes of all errors. `services.errors` has the whole tree."""

from typing import ClassVar


class RendercastError(Exception):
    """The base class of all errors. `code` is stable and sent to clients; for masked errors it is INTERNAL."""

    code: ClassVar[str] = "INTERNAL"


class StartupError(RendercastError):
    """The process can't start. The message is one sentence that says what to change."""


class UserError(RendercastError):
    """The caller can act on the error; the message says how."""

    code = "BAD_USER_INPUT"


class Unavailable(RendercastError):
    """A dependency of the service is unavailable; the same call may work later."""

    code = "SERVICE_UNAVAILABLE"
