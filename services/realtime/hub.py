"""Delivers changes of renders from the process that makes them to the subscribers in all processes.

Each change is published once, as the whole render, on its owner's channel. A process subscribes at most once to each
channel, decodes each message once, and offers the render to its subscribers. A subscriber keeps only the newest state
of each render, so a slow client skips states instead of growing a queue. The same holds for all subscribers when
messages arrive faster than they can be sent: of the messages of one socket read, only the newest of each render is
offered.

Messages may be lost; the store is authoritative. A subscriber reads the stored state once after its subscription is
active. The hub reads it again every few seconds, and as soon as the connection to the broker is restored, for every
render whose terminal state a subscriber waits for. So a lost message can delay the end of a stream, but the end is
never lost. A deletion is published after its render has been deleted. When the connection to the broker is restored,
the hub looks for the deletions of the renders whose end it has sent; it can't know which older ones a client shows.
"""

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import cast

from services import stored_documents
from services.errors import RenderNotFound, RenderTokenForbidden, StoreUnavailable, Unavailable
from services.ids import is_render_id
from services.models import Caller, Render
from services.observability.metrics import Metrics
from services.ports import Clock, RenderStore
from services.realtime.batch_watches import BatchWatch
from services.realtime.change_publisher import ChangePublisher
from services.realtime.fair_scheduler import FairScheduler, Slices
from services.realtime.owner_channels import OwnerChannels
from services.realtime.pubsub import PubSub
from services.realtime.subscribers import RenderEvent, StatePusher, Subscriber
from services.stored_documents import Announcement

MAX_UNFINISHED_PER_OWNER = 1000  # renders that are read for subscriptions to all of an owner's renders

log = logging.getLogger(__name__)


class ProgressHub(ChangePublisher):
    """Publishes changes of renders and subscribes to them. `run` must be running to recover from lost messages."""

    def __init__(
        self,
        *,
        store: RenderStore,
        pubsub: PubSub,
        clock: Clock,
        metrics: Metrics,
        check_interval: timedelta,
        scheduler: FairScheduler | None = None,
    ) -> None:
        super().__init__(pubsub=pubsub, clock=clock, metrics=metrics)
        self._store = store
        self.scheduler = scheduler or FairScheduler(metrics.throttled)
        self.last_tick_s: float | None = None
        self._check_interval = check_interval
        self._channels = OwnerChannels(pubsub, self._handle_messages)

    def subscribe(
        self, caller: Caller, render_id: str, pusher: StatePusher | None = None
    ) -> AsyncGenerator[Render, None]:
        """Yield the current state of a render, then each newer state in order; end after the terminal one.

        A state that arrives while no other is pending may go to `pusher` instead of being yielded; the order is kept.
        States that arrive faster than they are taken are skipped, except the terminal one. An operator may subscribe
        to any user's render. Raises `RenderNotFound`, and `StoreUnavailable` before the first state. To unsubscribe
        early, close the iterator (`contextlib.aclosing`).
        """
        states = self._events(lambda: self.open(caller, render_id, pusher))
        return cast("AsyncGenerator[Render, None]", states)  # there are no deletions

    def subscribe_all(self, caller: Caller, pusher: StatePusher | None = None) -> AsyncGenerator[Render, None]:
        """Yield all of the caller's unfinished renders, oldest first, then every change of any of them. Never ends.

        `pusher` is as for `subscribe`.
        """
        states = self._events(lambda: self.open_all(caller, pusher))
        return cast("AsyncGenerator[Render, None]", states)  # there are no deletions

    def subscribe_changes(self, caller: Caller, pusher: StatePusher | None = None) -> AsyncGenerator[RenderEvent, None]:
        """Yield what `subscribe_all` yields, and each of the caller's renders that is deleted.

        No state of a render is yielded after its deletion.
        """
        return self._events(lambda: self.open_all(caller, pusher, deletions=True))

    async def open(self, caller: Caller, render_id: str, pusher: StatePusher | None = None) -> Subscriber:
        """Return a subscriber that is offered what `subscribe` yields, until `close` is called. Raises as it does."""
        if not caller.may_read(render_id):
            raise RenderTokenForbidden
        if not is_render_id(render_id):
            raise RenderNotFound
        subscriber = self._subscriber(render_id, caller, pusher)
        owner = await self._find_owner(render_id, caller)
        async with self._joined(owner, subscriber):
            stored = await self._store.get(render_id, owner=owner)
            if stored is None:
                raise RenderNotFound
        subscriber.offer(stored)
        return subscriber

    async def open_all(
        self, caller: Caller, pusher: StatePusher | None = None, *, deletions: bool = False
    ) -> Subscriber:
        """Return a subscriber that is offered what `subscribe_all` yields, or with `deletions` `subscribe_changes`."""
        if not caller.has_user_token:
            raise RenderTokenForbidden
        subscriber = self._subscriber(None, caller, pusher, deletions=deletions)
        async with self._joined(caller.id, subscriber), subscriber.budget.reads:
            stored = await self._store.unfinished([caller.id], first=MAX_UNFINISHED_PER_OWNER)
        for render in stored:
            subscriber.offer(render)
        return subscriber

    async def close(self, subscriber: Subscriber) -> None:
        """Stop offering states to the subscriber. Does nothing if it is closed."""
        if (owner := subscriber.owner) is not None:
            subscriber.owner = None
            subscriber.stop_waiting()
            await self._channels.leave(owner, subscriber)
            self._metrics.subscription_closed()

    @asynccontextmanager
    async def watch_batch(self, caller: Caller, batch_id: str) -> AsyncIterator[BatchWatch]:
        """Yield a watch of the caller's batch. If messages are lost, it is notified as `refresh` is called."""
        if not caller.has_user_token:
            raise RenderTokenForbidden
        watch = BatchWatch(batch_id, self._channels.of(caller.id).batches)
        self._metrics.subscription_opened()
        try:
            await self._channels.join(caller.id, watch)
            yield watch
        finally:
            await self._channels.leave(caller.id, watch)
            self._metrics.subscription_closed()

    async def run(self) -> None:
        """Call `refresh` every `check_interval`, and whenever pub/sub resumes, until cancelled."""
        while True:
            self.last_tick_s = self._clock.monotonic()
            reconnected = await self._clock.wait(
                self._pubsub.reconnected, timeout_s=self._check_interval.total_seconds()
            )
            self._pubsub.reconnected.clear()
            try:
                await self.refresh()
                if reconnected:
                    await self.find_deletions()
            except Unavailable as error:
                log.warning("stored states of subscribed renders could not be read: %s", error)

    async def refresh(self) -> None:
        """Read the stored states of subscribed renders and offer them to the subscribers. Raises `StoreUnavailable`."""
        for channel in self._channels.values():
            channel.notify_batches()
        await self._refresh_unfinished()
        if owners := [owner for owner, channel in self._channels.items() if channel.has_subscribers_to_all()]:
            await self._offer(await self._store.unfinished(owners, first=MAX_UNFINISHED_PER_OWNER * len(owners)))

    async def find_deletions(self) -> None:
        """Offer the deletions of ended renders, whose messages may have been lost. Raises `StoreUnavailable`."""
        await self._offer_missing({owner: channel.ended_ids() for owner, channel in self._channels.items()})

    async def _events(self, open_: Callable[[], Awaitable[Subscriber]]) -> AsyncGenerator[RenderEvent, None]:
        """Yield the subscriber's events; end after the terminal one of its only render."""
        subscriber = await open_()
        try:
            while (taken := await subscriber.take()) is not None:
                event, published_at = taken
                yield event
                self._observe_lag(published_at)
                if subscriber.ends_with(event):
                    return
        finally:
            await self.close(subscriber)

    def _subscriber(
        self, render_id: str | None, caller: Caller, pusher: StatePusher | None, *, deletions: bool = False
    ) -> Subscriber:
        budget = self.scheduler.budget(caller.turn_key)
        return Subscriber(render_id, budget, pusher, observe_lag=self._observe_lag, deletions=deletions)

    def _observe_lag(self, published_at: datetime | None) -> None:
        """Record the time since a state was published that has been sent now."""
        if published_at is not None:
            self._metrics.sent(1, published_at=published_at, now=self._clock.now())

    async def _find_owner(self, render_id: str, caller: Caller) -> str:
        """Return the owner whose channel has the render: the caller, or for an operator the actual owner."""
        found = await self._store.get_many([render_id]) if caller.is_operator else ()
        return found[0].owner if found else caller.id

    async def _refresh_unfinished(self) -> None:
        slices = Slices()
        channels = tuple(self._channels.items())
        unfinished = {owner: await channel.unfinished_ids(slices) for owner, channel in channels}
        await self._offer(await self._offer_missing(unfinished))

    async def _offer_missing(self, expected: Mapping[str, frozenset[str]]) -> Sequence[Render]:
        """Offer the deletion of each of the owners' renders that is not stored; return the stored ones."""
        if not any(expected.values()):
            return ()
        stored = await self._store.get_many(frozenset().union(*expected.values()))
        stored_ids = {render.id for render in stored}
        for owner, render_ids in expected.items():
            for render_id in render_ids - stored_ids:
                if await self._is_deleted(render_id, owner) and (channel := self._channels.get(owner)):
                    channel.offer_deletion(render_id)
        return stored

    async def _is_deleted(self, render_id: str, owner: str) -> bool:
        """Return whether a render that was not found is deleted, and not only unreadable for this version."""
        try:
            return await self._store.get(render_id, owner=owner) is None
        except StoreUnavailable:
            return False

    async def _offer(self, renders: Iterable[Render]) -> None:
        """Offer states that were read from the store. Other tasks run in between: one may have many subscribers."""
        slices = Slices()
        for render in renders:
            if channel := self._channels.get(render.owner):
                channel.offer(render)
                await slices.pause()

    @asynccontextmanager
    async def _joined(self, owner: str, subscriber: Subscriber) -> AsyncIterator[None]:
        """Add the subscriber to its owner's channel, and close it if the context raises."""
        subscriber.owner = owner
        self._metrics.subscription_opened()
        try:
            await self._channels.join(owner, subscriber)
            yield
        except BaseException:
            await self.close(subscriber)
            raise

    def _handle_messages(self, messages: list[str]) -> None:
        """Offer the newest state of each render to its subscribers: the hub's `MessageListener`."""
        newest: dict[str, Announcement] = {}
        for announced in stored_documents.decode_announcements(messages):
            other = newest.get(announced.render.id)
            if other is None or _is_newer(announced, other):
                newest[announced.render.id] = announced
        for announced in newest.values():
            channel = self._channels.get(announced.render.owner)
            if channel:
                channel.notify_batch(announced.render.batch_id)
            if channel and announced.is_deleted:
                channel.offer_deletion(announced.render.id, announced.published_at)
            elif channel and (pushed := channel.offer(announced.render, announced.published_at)):
                self._metrics.sent(pushed, published_at=announced.published_at, now=self._clock.now())


def _is_newer(announced: Announcement, other: Announcement) -> bool:
    return not other.is_deleted and (announced.is_deleted or announced.render.revision > other.render.revision)
