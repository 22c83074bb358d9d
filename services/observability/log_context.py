"""The ids that each log line contains: of the request, the user, the render and the trace.

All but the trace's are context variables, set by the HTTP layer and by background loops. A task inherits them from the
one that starts it, and they cost nothing where nothing is logged.
"""

import hashlib
from contextvars import ContextVar

from opentelemetry.trace import format_trace_id, get_current_span

PSEUDONYM_DIGITS = 12

request_id = ContextVar("request_id", default="")
user_id = ContextVar("user_id", default="")
render_id = ContextVar("render_id", default="")


def start_request(new_id: str) -> None:
    """Log for this request, or connection, from now on, without a user until the caller is authenticated."""
    request_id.set(new_id)
    user_id.set("")


def current_ids() -> dict[str, str]:
    """Return the ids that are set, by their names in the log. A user's is a pseudonym."""
    user = user_id.get()
    ids = {
        "request_id": request_id.get(),
        "render_id": render_id.get(),
        "user_id": pseudonym(user) if user else "",
        "trace_id": _trace_id(),
    }
    return {name: value for name, value in ids.items() if value}


def pseudonym(user: str) -> str:
    """Return the pseudonym of a user in the log: always the same, and it does not reveal the user's id."""
    return hashlib.sha256(user.encode(errors="backslashreplace")).hexdigest()[:PSEUDONYM_DIGITS]


def _trace_id() -> str:
    """Return the id of the current trace; empty without one, or if it is not sampled and so cannot be looked up."""
    span = get_current_span()
    return format_trace_id(span.get_span_context().trace_id) if span.is_recording() else ""
