"""The subscribers to renders in this process, and the newest states that were offered to each."""

import asyncio
import logging
import sys
from collections import defaultdict
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import datetime
from time import perf_counter
from typing import Protocol

from services.models import DeletedRender, Render
from services.realtime.caller_turns import Account

MAX_ENDED_RENDERS = 1000  # per subscriber: ended renders whose late messages are still ignored
DELETED = sys.maxsize  # the revision of a deleted render: no state is newer

RenderEvent = Render | DeletedRender

log = logging.getLogger(__name__)


class StatePusher(Protocol):
    """Sends a state of a render to one client immediately, if that is possible."""

    def push(self, render: Render, /) -> bool:
        """Send the state and return True, or return False: then `Subscriber.take` returns it.

        It runs on the event loop between the Redis socket and the client's socket, so it must not block. It must not
        raise either: an exception is logged and counts as False.
        """
        ...


class Subscriber:
    """The newest states that one subscriber hasn't taken yet, of one render or of all renders of an owner.

    While the subscriber waits in `take`, a state is offered to its `pusher` first, unless the caller of `account` has
    used more than its share of time. Then, and for other events, it waits for the caller's turn. `observe_lag` is
    called with the publishing time of each state that is pushed then. With `deletions`, `take` returns deletions too.
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
        "account",
        "deletions",
        "render_id",
    )

    def __init__(
        self,
        render_id: str | None,
        account: Account,
        pusher: StatePusher | None = None,
        *,
        observe_lag: Callable[[datetime | None], None],
        deletions: bool = False,
    ) -> None:
        self.render_id = render_id
        self.account = account
        self.deletions = deletions
        self._pusher = pusher
        self._observe_lag = observe_lag
        self._unfinished: dict[str, int] = {}  # by id, the revision that was offered last
        self._ended: dict[str, int] = {}
        self._pending: dict[str, tuple[RenderEvent, datetime | None]] = {}
        self._waiting: asyncio.Future[None] | None = None
        self._is_queued = False  # whether the account will call `_resume`
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
        if render.status.is_terminal:
            self._end(id_, render.revision)
        else:
            self._unfinished[id_] = render.revision
            if self._can_push() and self._push(render):
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
            self._waiting = asyncio.get_running_loop().create_future()
            if self._pending:
                self._is_queued = True
                self.account.enqueue(self._release)
            try:
                await self._waiting
            finally:
                self._waiting = None
            if self._pending:
                return self._pending.pop(next(iter(self._pending)))
        return None

    @property
    def _is_waiting(self) -> bool:
        return self._waiting is not None and not self._waiting.done()

    def _can_push(self) -> bool:
        """Return whether a new state would be the next to be sent, and the caller has time left for it."""
        return self._is_waiting and not self._is_queued and self.account.has_time()

    def _push(self, render: Render) -> bool:
        started_s = perf_counter()
        try:
            return self._pusher is not None and self._pusher.push(render)
        except Exception:
            log.exception("a state of render %s could not be pushed", render.id)
            return False
        finally:
            self.account.charge(perf_counter() - started_s)

    def _wake(self) -> None:
        """Push what is pending in the caller's turn, or let `take` return it."""
        if self._waiting is not None and not self._is_queued:
            self._is_queued = True
            self.account.enqueue(self._resume)

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
        if self._waiting is not None and not self._waiting.done():  # done if the subscriber was cancelled
            self._waiting.set_result(None)

    def _end(self, render_id: str, revision: int) -> None:
        self._unfinished.pop(render_id, None)
        self._ended[render_id] = revision
        while len(self._ended) > MAX_ENDED_RENDERS:
            del self._ended[next(iter(self._ended))]


class OwnerChannel:
    """All subscribers to one owner's renders in this process, which share one pub/sub subscription.

    `lock` is held while that subscription is started; `subscription` closes it.
    """

    __slots__ = ("_to_all", "_to_one", "is_subscribed", "lock", "subscription")

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.is_subscribed = False
        self.subscription = AsyncExitStack()
        self._to_one: defaultdict[str, set[Subscriber]] = defaultdict(set)
        self._to_all: set[Subscriber] = set()

    def add(self, subscriber: Subscriber) -> None:
        """Offer later states to the subscriber."""
        (self._to_all if subscriber.render_id is None else self._to_one[subscriber.render_id]).add(subscriber)

    def remove(self, subscriber: Subscriber) -> None:
        """Stop offering states to the subscriber."""
        if subscriber.render_id is None:
            self._to_all.discard(subscriber)
            return
        self._to_one[subscriber.render_id].discard(subscriber)
        if not self._to_one[subscriber.render_id]:
            del self._to_one[subscriber.render_id]

    def unfinished_ids(self) -> frozenset[str]:
        """Return the ids of the renders whose terminal state was not offered to some subscriber yet."""
        subscribers = (*self._to_all, *(subscriber for of_render in self._to_one.values() for subscriber in of_render))
        return frozenset().union(*(subscriber.unfinished_ids for subscriber in subscribers))

    def ended_ids(self) -> frozenset[str]:
        """Return the ids of the ended renders whose deletion some subscriber must still be offered."""
        return frozenset().union(*(subscriber.ended_ids for subscriber in self._to_all if subscriber.deletions))

    def is_empty(self) -> bool:
        """Return whether no subscriber is left."""
        return not self._to_all and not self._to_one

    def has_subscribers_to_all(self) -> bool:
        """Return whether a subscription is to all of the owner's renders, including those that are started later."""
        return bool(self._to_all)

    def offer(self, render: Render, published_at: datetime | None = None) -> int:
        """Offer a state to all subscribers to its render; return to how many it was pushed."""
        return sum([each.offer(render, published_at) for each in (*self._to_all, *self._to_one.get(render.id, ()))])

    def offer_deletion(self, render_id: str, published_at: datetime | None = None) -> None:
        """Notify the render's subscribers that it was deleted."""
        for subscriber in (*self._to_all, *self._to_one.get(render_id, ())):
            subscriber.offer_deletion(render_id, published_at)
