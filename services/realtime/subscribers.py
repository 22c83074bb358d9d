"""Who watches which renders in this process, and what each was offered last."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import datetime

from services.models import Render

REMEMBERED_REVISIONS = 1000  # ended renders of one watcher whose late messages are recognised

log = logging.getLogger(__name__)

Push = Callable[[Render], bool]  # takes a state at once and returns True, or returns that it can't


class Subscriber:
    """One subscriber's view: the newest state it hasn't taken yet, of one render or of all of its owner's.

    While the subscriber waits in `take`, a state is offered to its `push` first.
    """

    __slots__ = ("_ended", "_is_lost", "_pending", "_push", "_unfinished", "_waiting", "render_id")

    def __init__(self, render_id: str | None, push: Push | None = None) -> None:
        self.render_id = render_id
        self._push = push
        self._unfinished: dict[str, int] = {}  # the revisions that were offered last
        self._ended: dict[str, int] = {}
        self._pending: dict[str, tuple[Render, datetime | None]] = {}
        self._waiting: asyncio.Future[None] | None = None
        self._is_lost = False

    @property
    def awaited(self) -> frozenset[str]:
        """The ids of the renders whose end this watcher has not been told."""
        return frozenset(self._unfinished)

    def offer(self, render: Render, published_at: datetime | None = None) -> bool:
        """Push a state, or put it where `take` finds it, unless this or a newer one was offered before.

        The last is never pushed. Return whether this was.
        """
        id_ = render.id
        if render.revision <= (self._unfinished.get(id_) or self._ended.get(id_, 0)):
            return False
        if render.status.is_terminal:
            self._end(id_, render.revision)
        else:
            self._unfinished[id_] = render.revision
            if self._waiting is not None and not self._waiting.done() and self._try_push(render):
                return True
        self._pending[id_] = render, published_at
        self._wake()
        return False

    def lose(self, render_id: str) -> None:
        """Note that the render is no longer stored; a watcher of only that one is at its end."""
        if render_id in self._unfinished:
            self._end(render_id, self._unfinished[render_id])
        if self.render_id == render_id:
            self._is_lost = True
            self._wake()

    async def take(self) -> tuple[Render, datetime | None] | None:
        """Wait for the next state, and when it was published if that brought it; None if the render is gone."""
        while not self._pending:
            if self._is_lost:
                return None
            self._waiting = asyncio.get_running_loop().create_future()
            try:
                await self._waiting
            finally:
                self._waiting = None
        return self._pending.pop(next(iter(self._pending)))

    def _try_push(self, render: Render) -> bool:
        try:
            return self._push is not None and self._push(render)
        except Exception:
            log.exception("a state of render %s could not be pushed", render.id)
            return False

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():  # by being cancelled
            waiting.set_result(None)

    def _end(self, render_id: str, revision: int) -> None:
        self._unfinished.pop(render_id, None)
        self._ended[render_id] = revision
        while len(self._ended) > REMEMBERED_REVISIONS:
            del self._ended[next(iter(self._ended))]


class OwnerChannel:
    """All watchers of one owner's renders in this process, behind one subscription."""

    __slots__ = ("_of_all", "_of_one", "door", "is_listening", "subscription")

    def __init__(self) -> None:
        self.door = asyncio.Lock()
        self.is_listening = False
        self.subscription = AsyncExitStack()
        self._of_one: defaultdict[str, set[Subscriber]] = defaultdict(set)
        self._of_all: set[Subscriber] = set()

    def join(self, watch: Subscriber) -> None:
        """Let the watcher hear from now on."""
        (self._of_all if watch.render_id is None else self._of_one[watch.render_id]).add(watch)

    def leave(self, watch: Subscriber) -> None:
        """Forget the watcher."""
        if watch.render_id is None:
            self._of_all.discard(watch)
            return
        self._of_one[watch.render_id].discard(watch)
        if not self._of_one[watch.render_id]:
            del self._of_one[watch.render_id]

    def awaited(self) -> frozenset[str]:
        """The ids of the renders whose end somebody here has not been told."""
        watches = (*self._of_all, *(watch for watches in self._of_one.values() for watch in watches))
        return frozenset().union(*(watch.awaited for watch in watches))

    def is_empty(self) -> bool:
        """Whether nobody watches any more."""
        return not self._of_all and not self._of_one

    def has_watchers_of_all(self) -> bool:
        """Whether somebody watches all of the owner's renders, and so those that are started later."""
        return bool(self._of_all)

    def tell(self, render: Render, published_at: datetime | None = None) -> int:
        """Offer a state to all whom it concerns; return to how many it was pushed."""
        return sum([watch.offer(render, published_at) for watch in (*self._of_all, *self._of_one.get(render.id, ()))])

    def lose(self, render_id: str) -> None:
        """Tell all whom it concerns that the render is gone."""
        for watch in (*self._of_all, *self._of_one.get(render_id, ())):
            watch.lose(render_id)
