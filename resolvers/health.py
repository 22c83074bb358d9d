"""Whether this process is well, for whoever restarts it or sends it traffic."""

from datetime import timedelta

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.errors import Unavailable
from services.runtime import Services

LONGEST_SILENCE = timedelta(seconds=60)


class Health:
    """`alive`: restart the process unless 200. `ready`: send it requests only while 200."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._opened_at = services.clock.now()

    async def alive(self, request: Request) -> Response:  # noqa: ARG002
        """Return 200 while the worker's loop ticks, else 503."""
        last_tick_at = self._services.tracker.last_tick_at or self._opened_at
        if self._services.clock.now() - last_tick_at > LONGEST_SILENCE:
            return _answer(503, "the worker has not looked for work for a minute")
        return _answer(200, "alive")

    async def ready(self, request: Request) -> Response:  # noqa: ARG002
        """Return 200 once the store answers and the worker runs, else 503 with the reason."""
        try:
            await self._services.store.get_many([])
        except Unavailable as error:
            return _answer(503, str(error))
        if self._services.tracker.last_tick_at is None:
            return _answer(503, "the worker has not started yet")
        return _answer(200, "ready")


def _answer(status_code: int, reason: str) -> Response:
    return JSONResponse({"status": reason}, status_code, headers={"Cache-Control": "no-store"})
