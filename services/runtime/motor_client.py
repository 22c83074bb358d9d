"""Imports motor, the MongoDB driver in use. Importing it takes time, so that it is done only where it is used."""

import os
from collections.abc import Callable

from services.errors import StartupError

THREADS_VARIABLE = "MOTOR_MAX_WORKERS"  # motor reads it when it is imported


def motor_client() -> Callable[..., object]:
    """Return the class of motor's client. Raises `StartupError` if the number of its threads is not valid."""
    try:
        from motor.motor_asyncio import AsyncIOMotorClient
    except ValueError:
        threads = os.environ.get(THREADS_VARIABLE)
        raise StartupError(f"{THREADS_VARIABLE} must be a whole number of at least 1, not {threads!r}.") from None
    return AsyncIOMotorClient
