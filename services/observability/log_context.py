"""Whose work the code is at: ids that every line of the log brings along, set at the edge and by the worker.

Each is a context variable: it follows a task and what that starts, and costs nothing where nothing is logged.
"""

import hashlib
from contextvars import ContextVar

USER_DIGITS = 12

request_id = ContextVar("request_id", default="")
user_id = ContextVar("user_id", default="")
render_id = ContextVar("render_id", default="")
trace_id = ContextVar("trace_id", default="")


def begin_request(this: str) -> None:
    """Log for this request, or connection, from now on, and for nobody until it is known who asks."""
    request_id.set(this)
    user_id.set("")


def known() -> dict[str, str]:
    """Return the ids that are known here, by the names that the log has for them. Users' are pseudonyms."""
    user = user_id.get()
    ids = {
        "request_id": request_id.get(),
        "render_id": render_id.get(),
        "user_id": pseudonym(user) if user else "",
        "trace_id": trace_id.get(),
    }
    return {name: value for name, value in ids.items() if value}


def pseudonym(user: str) -> str:
    """Return what stands for a user in the log: the same for ever, and it doesn't tell who that is."""
    return hashlib.sha256(user.encode(errors="backslashreplace")).hexdigest()[:USER_DIGITS]
