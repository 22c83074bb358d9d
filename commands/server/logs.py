"""What a server writes to its log, as lines for people or as an object a line for what collects logs."""

import json
import logging
from datetime import UTC, datetime
from typing import Literal

from services.observability import log_context
from services.settings import LoggingSettings


class WithoutQueries(logging.Filter):
    """Cuts the query off each path that uvicorn logs: it may hold the signature of a URL, or a text of a user's."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let the record through, with less in it."""
        if isinstance(record.args, tuple):
            record.args = tuple(arg.partition("?")[0] if isinstance(arg, str) else arg for arg in record.args)
        return True


class Lines(logging.Formatter):
    """A line for people, with the ids that are known at its end, and what went wrong below."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging's name
        """Return the line."""
        ids = " ".join(f"{name}={value}" for name, value in log_context.current_ids().items())
        return super().formatMessage(record) + (f" [{ids}]" if ids else "")


class JsonLines(logging.Formatter):
    """An object on one line of ASCII, whatever is in it; times as RFC 3339 has them, in UTC."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **log_context.current_ids(),
        }
        if error_id := getattr(record, "error_id", None):
            line["error_id"] = error_id
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def log_to_stderr(settings: LoggingSettings, *, usual: Literal["text", "json"]) -> None:
    """Log to standard error what the settings ask for, in the usual format unless they name one."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if (settings.log_format or usual) == "json" else Lines())
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler])
    for driver in ("boto3", "botocore", "pymongo"):  # which else tell of each command
        logging.getLogger(driver).setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").setLevel(logging.INFO)  # which else repeats all that is said on a WebSocket
    for name in ("uvicorn.access", "uvicorn.error"):
        logging.getLogger(name).addFilter(WithoutQueries())
