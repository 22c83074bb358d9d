"""What every resolver gets: the services, and who calls."""

import asyncio
from dataclasses import dataclass

from strawberry.types import Info as StrawberryInfo

from resolvers.execution.fast_path import FastPath
from services.errors import RendercastError, TokenExpired, Unauthenticated
from services.identity import Identity
from services.models import Caller
from services.runtime.services import Services


class OperationSlot:
    """An operation's turn on its connection: from its execution until its result is sent, or nobody wants it."""

    def __init__(self, turns: asyncio.Semaphore) -> None:
        self._turns = turns
        self._has_begun = False

    async def begin(self) -> None:
        """Wait for it."""
        await self._turns.acquire()
        self._has_begun = True

    def end(self) -> None:
        """Let the next operation have its turn, if this one had its own."""
        if self._has_begun:
            self._has_begun = False
            self._turns.release()


@dataclass(slots=True, kw_only=True)
class Context:
    """One HTTP request, or one operation on a WebSocket.

    `refusal` says why nobody is known to be calling, if that is so; what needs no caller works all the same.
    """

    services: Services
    identity: Identity | None = None
    refusal: RendercastError | None = None
    turn: OperationSlot | None = None
    feed: FastPath | None = None

    @property
    def caller(self) -> Caller:
        """Who calls. Raises `Unauthenticated`, or `IssuerUnavailable` if that could not be found out."""
        if self.identity is None:
            raise self.refusal or Unauthenticated
        if not self.identity.holds(self.services.clock.now()):
            raise TokenExpired
        return self.identity.caller


Info = StrawberryInfo[Context, None]
