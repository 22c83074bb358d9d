"""Stores what a renderer on this machine has finished, however long the storage is unavailable."""

import asyncio
import logging
from pathlib import Path

from services.background.backoff import backoff_s
from services.errors import BackendUnavailable
from services.models import Failure, Output, Render, replace
from services.ports import Clock
from services.renders.failure_messages import OWNER_MESSAGES
from services.storage.ports import OutputStorage

log = logging.getLogger(__name__)


class NotStored(Exception):  # noqa: N818  # not a bug
    """The output can't be stored, however often that is tried. Another attempt may succeed."""

    def __init__(self, failure: Failure) -> None:
        self.failure = replace(failure, retryable=True)
        super().__init__(failure.detail)


async def store_finished(
    storage: OutputStorage, render: Render, *, output: Path, poster: Path | None, clock: Clock
) -> Output:
    """Store the finished files and return the output. Repeated until cancelled while the storage is unavailable.

    Raises `NotStored` if an operator must act first, or if the unfinished output no longer exists.
    """
    failures = 0
    while True:
        try:
            return await storage.store(render, output=output, poster=poster)
        except BackendUnavailable as error:
            if error.failure is not None:
                raise NotStored(error.failure) from error
            if not await asyncio.to_thread(output.exists):  # if it is stored nevertheless, the worker finds it
                raise NotStored(_missing(output)) from error
            failures += 1
            log.warning("render %s: its output can't be stored now: %s", render.id, error)
            await clock.sleep(backoff_s(failures))


def _missing(output: Path) -> Failure:
    detail = f"Something has removed {output} before it was stored."
    return Failure(code="OUTPUT_MISSING", message=OWNER_MESSAGES["OUTPUT_MISSING"], retryable=True, detail=detail)
