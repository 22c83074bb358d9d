"""The ids that each log line contains: of the request, the user, the render and the trace.

All except the trace id are context variables, set by the HTTP layer and by background loops. A task inherits them from
the task that creates it. They are read only when a line is logged.
"""

import hashlib
from contextvars import ContextVar

from opentelemetry.trace import format_trace_id, get_current_span

PSEUDONYM_DIGITS = 12

request_id = ContextVar("request_id", default="")
user_id = ContextVar("user_id", default="")
render_id = ContextVar("render_id", default="")


def start_request(new_id: str) -> None:
    """Set the id of the request or connection for later log lines, and clear the user's until authentication."""
    request_id.set(new_id)
    user_id.set("")


def current_ids() -> dict[str, str]:
    """Return the ids that are set, by their names in the log. The user's id is a pseudonym."""
    user = user_id.get()
    ids = {
        "request_id": request_id.get(),
        "render_id": render_id.get(),
        "user_id": pseudonym(user) if user else "",
        "trace_id": _trace_id(),
    }
    return {name: value for name, value in ids.items() if value}


def pseudonym(user: str) -> str:
    """Return the pseudonym of a user in the log: always the same for a user, without revealing the user's id."""
    return hashlib.sha256(user.encode(errors="backslashreplace")).hexdigest()[:PSEUDONYM_DIGITS]


def _trace_id() -> str:
    """Return the id of the current trace; empty if there is none, or if it is not sampled and so not exported."""
    span = get_current_span()
    return format_trace_id(span.get_span_context().trace_id) if span.is_recording() else ""
