"""Whether this process is well, for whoever restarts it or sends it traffic."""

import logging

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.errors import StoreUnavailable, Unavailable
from services.observability.liveness import ALIVE, Liveness
from services.runtime.services import Services

log = logging.getLogger(__name__)


class Health:
    """`alive`: restart the process unless 200. `ready`: send it requests only while 200."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._liveness = Liveness(services.loops, services.clock)

    async def alive(self, request: Request) -> Response:  # noqa: ARG002
        """Return 200 while the loops of this process tick, else 503."""
        fault = self._liveness.stalled()
        return _answer(503, fault) if fault else _answer(200, ALIVE)

    async def ready(self, request: Request) -> Response:  # noqa: ARG002
        """Return 200 while store and pub/sub answer and the loops tick, else 503 with what is amiss."""
        try:
            await self._services.store.get_many([])
            await self._services.pubsub.check()
        except Unavailable as error:
            log.warning("not ready: %s", error)
            what = "the store" if isinstance(error, StoreUnavailable) else "pub/sub"
            return _answer(503, f"{what} is away")
        fault = self._liveness.not_running()
        return _answer(503, fault) if fault else _answer(200, "ready")


def _answer(status_code: int, reason: str) -> Response:
    return JSONResponse({"status": reason}, status_code, headers={"Cache-Control": "no-store"})
