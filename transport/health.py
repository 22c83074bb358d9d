"""Health endpoints for process supervisors and load balancers."""

import logging

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.errors import StoreUnavailable, Unavailable
from services.observability.liveness import ALIVE, Liveness
from services.runtime.services import Services

log = logging.getLogger(__name__)


class HealthEndpoints:
    """`alive`: restart the process unless it returns 200. `ready`: send it requests only while it returns 200."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._liveness = Liveness(services.loops, services.clock)

    async def alive(self, request: Request) -> Response:  # noqa: ARG002
        """Return 200 while the loops of this process tick, else 503."""
        problem = self._liveness.stalled()
        return _response(503, problem) if problem else _response(200, ALIVE)

    async def ready(self, request: Request) -> Response:  # noqa: ARG002
        """Return 200 while the store and pub/sub are available and the loops tick, else 503 with the reason."""
        try:
            await self._services.store.get_many([])
            await self._services.pubsub.check()
        except Unavailable as error:
            log.warning("not ready: %s", error)
            dependency = "the store" if isinstance(error, StoreUnavailable) else "pub/sub"
            return _response(503, f"{dependency} is unavailable")
        problem = self._liveness.not_running()
        return _response(503, problem) if problem else _response(200, "ready")


def _response(status_code: int, status: str) -> Response:
    return JSONResponse({"status": status}, status_code, headers={"Cache-Control": "no-store"})
