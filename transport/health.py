"""Health endpoints for process supervisors and load balancers."""

import asyncio
import logging
from collections.abc import Awaitable, Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.errors import Unavailable
from services.observability.liveness import ALIVE, Liveness
from services.runtime.data_folder import check_writable
from services.runtime.services import LOOP_LABELS, Services

TIMEOUT_S = 3.0  # for each check of `ready`; all run concurrently
OPTIONAL = {"pubsub"}  # without it, changes arrive later: they are read from the store

log = logging.getLogger(__name__)


class HealthEndpoints:
    """`alive`: restart the process unless it returns 200. `ready`: send it requests only while it returns 200."""

    def __init__(self, services: Services, *, timeout_s: float = TIMEOUT_S) -> None:
        self._services = services
        self._timeout_s = timeout_s
        self._liveness = Liveness(services.loops, services.clock)

    async def alive(self, request: Request) -> Response:  # noqa: ARG002
        """Return 200 while the loops of this process tick, else 503."""
        problem = self._liveness.stalled()
        return _response(503, {"status": problem}) if problem else _response(200, {"status": ALIVE})

    async def ready(self, request: Request) -> Response:  # noqa: ARG002
        """Return 200 while the store can be used and the loops tick, else 503; the body has the state of each part."""
        reasons = {**await self._failed_checks(), **self._stopped_loops()}
        is_ready = not any(reason for name, reason in reasons.items() if name not in OPTIONAL)
        parts = {name: _part(name, reason) for name, reason in reasons.items()}
        return _response(200 if is_ready else 503, {"status": "ready" if is_ready else "not ready", "parts": parts})

    async def _failed_checks(self) -> Mapping[str, str | None]:
        """Return why each part that this process depends on can't be used; None for a part that can."""
        checks: dict[str, Awaitable[None]] = {
            "store": self._services.store.check(),
            "pubsub": self._services.pubsub.check(),
        }
        if (folder := self._services.data_folder) is not None:
            checks["data_folder"] = asyncio.to_thread(check_writable, folder)
        reasons = (self._reason(name, check) for name, check in checks.items())
        return dict(zip(checks, await asyncio.gather(*reasons), strict=True))

    async def _reason(self, name: str, check: Awaitable[None]) -> str | None:
        """Return why a check fails, in words for anyone; the log has the details."""
        try:
            async with asyncio.timeout(self._timeout_s):
                await check
        except TimeoutError:
            reason, details = "no response in time", f"no response within {self._timeout_s:g} s"
        except Unavailable as error:
            reason, details = "unavailable", str(error)
        except OSError as error:
            reason, details = "not writable", str(error)
        else:
            return None
        log.log(logging.DEBUG if name in OPTIONAL else logging.WARNING, "%s: %s", name, details)
        return reason

    def _stopped_loops(self) -> Mapping[str, str | None]:
        running = self._liveness.running()
        return {LOOP_LABELS.get(name, name): None if is_on else "not running" for name, is_on in running.items()}


def _part(name: str, reason: str | None) -> Mapping[str, object]:
    part: dict[str, object] = {"ok": reason is None, "required": name not in OPTIONAL}
    return part if reason is None else {**part, "reason": reason}


def _response(status_code: int, content: Mapping[str, object]) -> Response:
    return JSONResponse(content, status_code, headers={"Cache-Control": "no-store"})
