"""The channels of the owners whose renders have subscribers in this process."""

import asyncio
from collections import defaultdict
from datetime import datetime

from services.models import Render
from services.realtime.batch_watches import BatchWatch, OwnerBatches
from services.realtime.fair_scheduler import Slices
from services.realtime.listeners import MessageListener
from services.realtime.pubsub import PubSub
from services.realtime.subscribers import Subscriber


class OwnerChannel:
    """All subscribers to one owner's renders and batches in this process, which share one pub/sub subscription.

    `lock` is held while that subscription is started.
    """

    __slots__ = ("_batches", "_to_all", "_to_one", "is_subscribed", "lock")

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.is_subscribed = False
        self._to_one: defaultdict[str, set[Subscriber]] = defaultdict(set)
        self._to_all: set[Subscriber] = set()
        self._batches: OwnerBatches | None = None  # most owners have no watchers of batches

    @property
    def batches(self) -> OwnerBatches:
        """The watched batches of the owner."""
        if self._batches is None:
            self._batches = OwnerBatches()
        return self._batches

    def notify_batch(self, batch_id: str | None) -> None:
        """Notify the watches of a batch of a change."""
        if self._batches is not None:
            self._batches.notify(batch_id)

    def notify_batches(self) -> None:
        """Notify the watches of all batches, since changes may have been missed."""
        if self._batches is not None:
            self._batches.notify_all()

    def add(self, subscriber: Subscriber | BatchWatch) -> None:
        """Offer later states to the subscriber, or notify the watch."""
        if isinstance(subscriber, BatchWatch):
            self.batches.add(subscriber)
            return
        (self._to_all if subscriber.render_id is None else self._to_one[subscriber.render_id]).add(subscriber)

    def remove(self, subscriber: Subscriber | BatchWatch) -> None:
        """Stop offering states to the subscriber, or notifying the watch."""
        if isinstance(subscriber, BatchWatch):
            self.batches.remove(subscriber)
            return
        if subscriber.render_id is None:
            self._to_all.discard(subscriber)
            return
        self._to_one[subscriber.render_id].discard(subscriber)
        if not self._to_one[subscriber.render_id]:
            del self._to_one[subscriber.render_id]

    async def unfinished_ids(self, slices: Slices) -> frozenset[str]:
        """Return the ids of the renders whose terminal state was not offered to some subscriber yet.

        Lets other tasks run between `slices`: 300 subscribers to the same 1,000 renders have 300,000 ids.
        """
        subscribers = (*self._to_all, *(subscriber for of_render in self._to_one.values() for subscriber in of_render))
        found: set[str] = set()
        for subscriber in subscribers:
            found.update(subscriber.unfinished_ids)
            await slices.pause()
        return frozenset(found)

    def ended_ids(self) -> frozenset[str]:
        """Return the ids of the ended renders whose deletion some subscriber must still be offered."""
        return frozenset().union(*(subscriber.ended_ids for subscriber in self._to_all if subscriber.deletions))

    def is_empty(self) -> bool:
        """Return whether no subscriber is left."""
        return not (self._to_all or self._to_one or self._batches)

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


class OwnerChannels(dict[str, OwnerChannel]):
    """The channel of each owner with subscribers: a pub/sub subscription whose messages go to `listener`."""

    def __init__(self, pubsub: PubSub, listener: MessageListener) -> None:
        super().__init__()
        self._pubsub = pubsub
        self._listener = listener

    def of(self, owner: str) -> OwnerChannel:
        """Return the owner's channel, which may be a new one."""
        channel = self.get(owner)
        if channel is None:
            channel = self[owner] = OwnerChannel()
        return channel

    async def join(self, owner: str, subscriber: Subscriber | BatchWatch) -> None:
        """Add the subscriber. The channel's subscription is active on return, unless the broker is unavailable.

        Only subscribers to this owner's renders wait for it. `leave` must follow, also if this raises.
        """
        channel = self.of(owner)
        channel.add(subscriber)  # before the first await: a subscriber that leaves must not remove the channel
        async with channel.lock:
            if not channel.is_subscribed:
                await self._pubsub.listen(channel_name(owner), self._listener)
                channel.is_subscribed = True

    async def leave(self, owner: str, subscriber: Subscriber | BatchWatch) -> None:
        """Remove the subscriber, and the channel with its last one. Does not wait."""
        channel = self[owner]
        channel.remove(subscriber)
        if channel.is_empty():
            del self[owner]  # later subscribers create a new one
            if channel.is_subscribed:
                await self._pubsub.stop_listening(channel_name(owner), self._listener)


def channel_name(owner: str) -> str:
    """Return the name of an owner's channel."""
    return f"renders:{owner}"
