"""The subscribers to renders in this process, and the newest states that were offered to each."""

import asyncio
import logging
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from services.models import TERMINAL, DeletedRender, Render
from services.realtime.fair_scheduler import CallerBudget

MAX_ENDED_RENDERS = 1000  # per subscriber: ended renders whose late messages are still ignored
DELETED = sys.maxsize  # the revision of a deleted render: no state is newer

RenderEvent = Render | DeletedRender

log = logging.getLogger(__name__)


class StatePusher(Protocol):
    """Sends a state of a render to one client immediately, if that is possible."""

    def push(self, render: Render, /) -> bool:
        """Send the state, which is not terminal, and return True, or return False: then `Subscriber.take` returns it.

        It runs on the event loop between the Redis socket and the client's socket, so it must not block. It must not
        raise either: an exception is logged and counts as False.
        """
        ...


class Subscriber:
    """The newest states that one subscriber hasn't taken yet, of one render or of all renders of an owner.

    While its user waits, in `take` or after `wait`, a state is offered to `pusher` first, unless the caller of
    `budget` has used more than its share of time. Then, and for other events, it waits for the caller's turn.
    `observe_lag` is called with the publishing time of each state that is pushed then. With `deletions`, `take` returns
    deletions too. `owner` is the one to whose channel it was added; None before and after.
    """

    # Slots: the CPU's caches are cold at each change, so the number of objects it touches determines its cost.
    __slots__ = (
        "_ended",
        "_is_deleted",
        "_is_queued",
        "_observe_lag",
        "_pending",
        "_pusher",
        "_unfinished",
        "_waiting",
        "budget",
        "deletions",
        "owner",
        "render_id",
    )

    def __init__(
        self,
        render_id: str | None,
        budget: CallerBudget,
        pusher: StatePusher | None = None,
        *,
        observe_lag: Callable[[datetime | None], None],
        deletions: bool = False,
    ) -> None:
        self.render_id = render_id
        self.budget = budget
        self.deletions = deletions
        self.owner: str | None = None
        self._pusher = pusher
        self._observe_lag = observe_lag
        self._unfinished: dict[str, int] = {}  # by id, the revision that was offered last
        self._ended: dict[str, int] = {}
        self._pending: dict[str, tuple[RenderEvent, datetime | None]] = {}
        self._waiting: Callable[[], None] | asyncio.Future[None] | None = None  # what continues its user
        self._is_queued = False  # whether the budget will call `_resume`
        self._is_deleted = False

    @property
    def unfinished_ids(self) -> frozenset[str]:
        """The ids of the renders of which this subscriber was offered a state, but no terminal one."""
        return frozenset(self._unfinished)

    @property
    def ended_ids(self) -> frozenset[str]:
        """The ids of the renders whose end this subscriber was offered lately, but not their deletion."""
        return frozenset(id_ for id_, revision in self._ended.items() if revision != DELETED)

    def offer(self, render: Render, published_at: datetime | None = None) -> bool:
        """Push a state, or keep it for `take`; return whether it was pushed. A terminal state is never pushed.

        A state is ignored if its revision or a newer one was offered before.
        """
        id_ = render.id
        if render.revision <= (self._unfinished.get(id_) or self._ended.get(id_, 0)):
            return False
        if render.status in TERMINAL:  # half the time of `is_terminal`
            self._end(id_, render.revision)
        else:
            self._unfinished[id_] = render.revision
            if not self._is_queued and self._is_waiting and self._push(render):
                return True
        self._pending[id_] = render, published_at  # replaces a state not taken yet: a slow subscriber skips it
        self._wake()
        return False

    def offer_deletion(self, render_id: str, published_at: datetime | None = None) -> None:
        """Record that the render was deleted. States of it that arrive later are ignored.

        With `deletions`, `take` returns it instead of a state not taken yet. A subscription to only this render ends.
        """
        if self._ended.get(render_id) == DELETED:
            return
        self._end(render_id, DELETED)
        self._is_deleted = self.render_id == render_id
        if self.deletions:
            self._pending[render_id] = DeletedRender(id=render_id), published_at
        if self.deletions or self._is_deleted:
            self._wake()

    async def take(self) -> tuple[RenderEvent, datetime | None] | None:
        """Wait for the next event; return it and when it was published (None if it was read from the store).

        Returns None if the only render was deleted.
        """
        while self._pending or not self._is_deleted:
            self._waiting = waiting = asyncio.get_running_loop().create_future()
            if self._pending:
                self._is_queued = True
                self.budget.enqueue(self._release)
            try:
                await waiting
            finally:
                self._waiting = None
            if self._pending:
                return self.pop()
        return None

    def wait(self, resume: Callable[[], None]) -> None:
        """Call `resume` once, in the caller's turn, when there is an event that can't be pushed; `pop` returns it.

        It must not raise or block. A subscriber whose user waits so needs no task.
        """
        self._waiting = resume
        if self._pending or self._is_deleted:
            self._wake()

    def stop_waiting(self) -> None:
        """Don't call what was passed to `wait`."""
        self._waiting = None

    def pop(self) -> tuple[RenderEvent, datetime | None] | None:
        """Return the next event as `take` does, without waiting; None if the only render was deleted."""
        return self._pending.pop(next(iter(self._pending))) if self._pending else None

    def ends_with(self, event: RenderEvent) -> bool:
        """Return whether no event follows this one: it is the terminal state of the only render."""
        return self.render_id is not None and isinstance(event, Render) and event.status.is_terminal

    def observe_lag(self, published_at: datetime | None) -> None:
        """Record the time since an event was published: it has been sent now."""
        self._observe_lag(published_at)

    @property
    def _is_waiting(self) -> bool:
        waiting = self._waiting
        return waiting is not None and not (isinstance(waiting, asyncio.Future) and waiting.done())

    def _push(self, render: Render) -> bool:
        """Push a state if the caller has time left for it; return whether it was pushed."""
        budget, pusher = self.budget, self._pusher
        started_s = budget.now_s()
        if pusher is None or not budget.has_time(started_s):
            return False
        try:
            return pusher.push(render)
        except Exception:
            log.exception("a state of render %s could not be pushed", render.id)
            return False
        finally:
            budget.charge(budget.now_s() - started_s)

    def _wake(self) -> None:
        """Push what is pending in the caller's turn, or let `take` return it."""
        if self._waiting is not None and not self._is_queued:
            self._is_queued = True
            self.budget.enqueue(self._resume)

    def _resume(self) -> None:
        event, published_at = next(iter(self._pending.values()), (None, None))
        if not isinstance(event, Render) or event.status.is_terminal or not self._is_waiting or not self._push(event):
            self._release()
            return
        self._is_queued = False
        del self._pending[event.id]
        self._observe_lag(published_at)
        if self._pending:
            self._wake()

    def _release(self) -> None:
        self._is_queued = False
        if not self._is_waiting:  # the subscriber was cancelled
            return
        waiting, self._waiting = self._waiting, None
        if isinstance(waiting, asyncio.Future):
            waiting.set_result(None)
        elif waiting is not None:
            waiting()

    def _end(self, render_id: str, revision: int) -> None:
        self._unfinished.pop(render_id, None)
        self._ended[render_id] = revision
        while len(self._ended) > MAX_ENDED_RENDERS:
            del self._ended[next(iter(self._ended))]
