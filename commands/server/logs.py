"""The log of a server: text lines for people, or JSON lines for a log collector."""

import asyncio
import json
import logging
from datetime import UTC, datetime
from typing import Literal

from services.observability import log_context
from services.settings import LoggingSettings, Settings, setting_warnings, unknown_variables

log = logging.getLogger(__name__)


class QueryStringFilter(logging.Filter):
    """Removes the query string of each path that uvicorn logs: it may contain a URL's signature, or a user's text."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record; always return True."""
        if isinstance(record.args, tuple):
            record.args = tuple(arg.partition("?")[0] if isinstance(arg, str) else arg for arg in record.args)
        return True


class CancellationFilter(logging.Filter):
    """Shortens uvicorn's record of a request that was cancelled on shutdown, which has a traceback, to one line."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record; always return True."""
        if record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError):
            record.exc_info, record.levelno, record.levelname = None, logging.WARNING, "WARNING"
            record.msg, record.args = "cancelled a request that was still running when the server stopped", ()
        return True


class TextFormatter(logging.Formatter):
    """Formats a record as a line that ends with the current ids, followed by the traceback if there is one."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging's name
        """Return the line."""
        ids = " ".join(f"{name}={value}" for name, value in log_context.current_ids().items())
        return super().formatMessage(record) + (f" [{ids}]" if ids else "")


class JsonFormatter(logging.Formatter):
    """Formats a record as a JSON object on one line of ASCII. Times are in UTC, in the format of RFC 3339."""

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


def log_to_stderr(settings: LoggingSettings, *, default_format: Literal["text", "json"]) -> None:
    """Log to standard error, in the default format unless the settings specify one."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if (settings.log_format or default_format) == "json" else TextFormatter())
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler])
    for driver in ("boto3", "botocore", "pymongo"):  # below that, they log each command
        logging.getLogger(driver).setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").setLevel(logging.INFO)  # below that, it logs each WebSocket message
    for name in ("uvicorn.access", "uvicorn.error"):
        logging.getLogger(name).addFilter(QueryStringFilter())
    logging.getLogger("uvicorn.error").addFilter(CancellationFilter())


def log_setting_warnings(settings: Settings, *, serves: bool) -> None:
    """Log a warning for each setting that is probably a mistake. With `serves`, other machines are clients."""
    for sentence in (*unknown_variables(), *setting_warnings(settings, serves=serves)):
        log.warning("%s", sentence)
