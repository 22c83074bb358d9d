"""Whether this process is well, for whoever restarts it or sends it traffic."""

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.errors import StoreUnavailable, Unavailable
from services.runtime import Services

LONGEST_SILENCE = timedelta(seconds=90)  # longer than any interval or wait after a fault

log = logging.getLogger(__name__)


class Health:
    """`alive`: restart the process unless 200. `ready`: send it requests only while 200."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._opened_at = services.clock.now()

    async def alive(self, request: Request) -> Response:  # noqa: ARG002
        """Return 200 while the loops of this process tick, else 503."""
        for name, last_tick_at in self._ticks():
            if self._is_silent(last_tick_at or self._opened_at):
                return _answer(503, f"the {name} has been silent for too long")
        return _answer(200, "alive")

    async def ready(self, request: Request) -> Response:  # noqa: ARG002
        """Return 200 while store and pub/sub answer and the loops tick, else 503 with what is amiss."""
        try:
            await self._services.store.get_many([])
            await self._services.pubsub.check()
        except Unavailable as error:
            log.warning("not ready: %s", error)
            what = "the store" if isinstance(error, StoreUnavailable) else "pub/sub"
            return _answer(503, f"{what} is away")
        for name, last_tick_at in self._ticks():
            if last_tick_at is None or self._is_silent(last_tick_at):
                return _answer(503, f"the {name} is not running")
        return _answer(200, "ready")

    def _ticks(self) -> Iterator[tuple[str, datetime | None]]:
        yield "hub", self._services.hub.last_tick_at
        if self._services.tracker is not None:
            yield "worker", self._services.tracker.last_tick_at

    def _is_silent(self, last_tick_at: datetime) -> bool:
        return self._services.clock.now() - last_tick_at > LONGEST_SILENCE


def _answer(status_code: int, reason: str) -> Response:
    return JSONResponse({"status": reason}, status_code, headers={"Cache-Control": "no-store"})
