"""What a server writes to its log."""

import logging

from services.settings import Settings


class WithoutQueries(logging.Filter):
    """Cuts the query off each path that uvicorn logs: it may hold the signature of a URL, or a text of a user's."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let the record through, with less in it."""
        if isinstance(record.args, tuple):
            record.args = tuple(arg.partition("?")[0] if isinstance(arg, str) else arg for arg in record.args)
        return True


def log_to_stderr(settings: Settings) -> None:
    """Log to standard error what the settings ask for."""
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    for driver in ("boto3", "botocore", "pymongo"):  # which else tell of each command
        logging.getLogger(driver).setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").setLevel(logging.INFO)  # which else repeats all that is said on a WebSocket
    for name in ("uvicorn.access", "uvicorn.error"):
        logging.getLogger(name).addFilter(WithoutQueries())
