"""Keeps the credentials of a storage current while nothing is requested from it, so that URLs can be signed."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager

from services.ports import Clock
from services.storage.aws_errors import AwsError
from services.storage.s3 import ObjectStorage

INTERVAL_S = 60

log = logging.getLogger(__name__)


@asynccontextmanager
async def renewed_credentials(storage: ObjectStorage, *, clock: Clock, unchecked: str | None) -> AsyncIterator[None]:
    """Refresh the credentials every `INTERVAL_S` seconds while the context is open. Errors are logged only.

    If the bucket `unchecked` is given, first check that it is accessible.
    """
    renewing = asyncio.create_task(_renew(storage, clock, unchecked), name="renew the credentials of the storage")
    try:
        yield
    finally:
        renewing.cancel()
        await asyncio.wait([renewing])


async def _renew(storage: ObjectStorage, clock: Clock, unchecked: str | None) -> None:
    if unchecked is not None:
        await _log_error(storage.require_bucket(unchecked))
    while True:
        await clock.sleep(INTERVAL_S)
        await _log_error(storage.refresh_credentials())


async def _log_error(call: Awaitable[None]) -> None:
    """Await the call and log an `AwsError` with its remedy."""
    try:
        await call
    except AwsError as error:
        problem = "The storage can't be reached" if error.remedy is None else error.remedy.sentence
        log.error("%s (%s)", problem, error)  # noqa: TRY400  # the traceback adds nothing
