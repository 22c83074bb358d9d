"""The context of every resolver: the services, the caller's identity, and the operation's connection state."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from strawberry.types import Info as StrawberryInfo

from resolvers.execution.fast_path import FastPath
from resolvers.execution.selections import Selections
from resolvers.render_loader import RenderServiceLoader
from services.errors import RendercastError, TokenExpired, Unauthenticated
from services.models import Caller, Identity
from services.runtime.services import Services

MAX_READS_AT_ONCE = 2  # of one operation


class OperationSlot:
    """A WebSocket operation's share of its connection's concurrency limit.

    Acquired when the operation's execution starts. Released when its result is sent, or when the operation ends
    without one. Subscriptions never acquire it, so `slots` makes the connection's semaphore when it is called first.
    """

    __slots__ = ("_acquired", "_slots")

    def __init__(self, slots: Callable[[], asyncio.Semaphore]) -> None:
        self._slots = slots
        self._acquired: asyncio.Semaphore | None = None

    async def acquire(self) -> None:
        """Wait until the connection has a free slot, and take it."""
        slots = self._slots()
        await slots.acquire()
        self._acquired = slots

    def release(self) -> None:
        """Free the slot. Does nothing if it isn't acquired."""
        acquired, self._acquired = self._acquired, None
        if acquired is not None:
            acquired.release()


@dataclass(slots=True, kw_only=True)
class Context:
    """One HTTP request, or one operation on a WebSocket.

    `document_id` names a trusted document, if the request has no text. `authentication_error` is set if the caller
    could not be identified. Fields that need no caller still work. `selections` are those of the operation, unless it
    is executed for the first time.
    """

    services: Services
    document_id: str | None = None
    identity: Identity | None = None
    authentication_error: RendercastError | None = None
    slot: OperationSlot | None = None
    fast_path: FastPath | None = None
    selections: Selections | None = None
    _reads: asyncio.Semaphore | None = None

    @property
    def caller(self) -> Caller:
        """The authenticated caller.

        Raises `authentication_error` (`Unauthenticated`, or `IssuerUnavailable` if no token can be verified now), or
        `TokenExpired` if the token has expired since.
        """
        if self.identity is None:
            raise self.authentication_error or Unauthenticated
        if not self.identity.is_valid(self.services.clock.now()):
            raise TokenExpired
        return self.identity.caller

    def require_caller(self) -> None:
        """Raise as `caller` does if there is none."""
        _ = self.caller

    async def turn(self) -> None:
        """Wait for the caller's turn. What the request then does until it next waits must take about a millisecond."""
        await self.services.hub.scheduler.turn(self._turn_key)

    def note_activity(self) -> None:
        """Record that the caller is active, so that others don't use all the time."""
        self.services.hub.scheduler.note_activity(self._turn_key)

    @property
    def _turn_key(self) -> str:
        return "" if self.identity is None else self.identity.caller.turn_key

    @property
    def reads(self) -> asyncio.Semaphore:
        """Limits the reads that an operation makes at once: those of many lists would delay the reads of others."""
        self._reads = self._reads or asyncio.Semaphore(MAX_READS_AT_ONCE)
        return self._reads

    @property
    def render_loader(self) -> RenderServiceLoader:
        """The loader of the fields of `Render` that are computed when requested."""
        return RenderServiceLoader(self.services.renders)


Info = StrawberryInfo[Context, None]
