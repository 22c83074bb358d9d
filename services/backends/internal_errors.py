"""Exceptions that nothing expected, in the task of an attempt."""

import logging
import secrets

from services.models import Failure, Render
from services.renders.failure_messages import internal_failure

log = logging.getLogger(__name__)


def log_internal_error(render: Render, error: Exception) -> Failure:
    """Log an exception with its traceback and an id, and return the failure that ends the attempt."""
    error_id = secrets.token_hex(6)
    extra = {"error_id": error_id}
    log.error("error %s in an attempt of render %s", error_id, render.id, exc_info=error, extra=extra)
    return internal_failure(error_id)
