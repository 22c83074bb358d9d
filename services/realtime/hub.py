"""Progress, from whoever changes a render to everybody who watches it.

Each change is published once, as the whole render, on its owner's channel. A process listens at most once to each
channel, decodes each message once, and hands the render to its watchers. A watcher keeps only the newest state of
each render, so a slow client skips ahead instead of growing a queue. So does everybody when messages come faster than
they can be told: of those that are read together, the newest of each render is told.

Messages are hints: what is stored is the truth. Whoever watches reads the stored state once after it began to
listen, and the hub reads it again every few seconds, and as soon as a broker that was away is back, for every render
whose end somebody awaits, so that a lost message can delay the end of a stream but never lose it.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from services import documents
from services.documents import Announcement
from services.errors import RenderNotFound, Unavailable
from services.ids import is_render_id
from services.models import Caller, Render
from services.observability import spans
from services.observability.metrics import Metrics
from services.ports import Clock, RenderStore
from services.realtime.pubsub import PubSub
from services.realtime.subscribers import OwnerChannel, Push, Subscriber

WORK_CHANNEL = "work"
MAX_UNFINISHED_AT_ONCE = 1000  # renders a subscriber to all of them is told about at the beginning

log = logging.getLogger(__name__)


class ProgressHub:
    """Publish changes and watch renders. `run` must be running for watchers to survive lost messages."""

    def __init__(
        self, *, store: RenderStore, pubsub: PubSub, clock: Clock, metrics: Metrics, check_interval: timedelta
    ) -> None:
        self._store = store
        self._pubsub = pubsub
        self._clock = clock
        self._metrics = metrics
        self.last_tick_at: datetime | None = None
        self._check_interval = check_interval
        self._rooms: dict[str, OwnerChannel] = {}

    async def publish(self, render: Render) -> None:
        """Tell all watchers of a change that has been stored. A broker that is away is logged, not raised."""
        self._metrics.changed(render)
        spans.changed(render)
        announcement = Announcement(render=render, published_at=self._clock.now())
        try:
            await self._pubsub.publish(_channel(render.owner), documents.encode_announcement(announcement))
        except Unavailable as error:
            log.warning("a change of render %s was not published: %s", render.id, error)

    async def wake_workers(self, render_id: str) -> None:
        """Hint to workers that there is something to do for a render; they look on their own as well."""
        try:
            await self._pubsub.publish(WORK_CHANNEL, render_id)
        except Unavailable as error:
            log.warning("workers were not woken for render %s: %s", render_id, error)

    async def watch(self, caller: Caller, render_id: str, push: Push | None = None) -> AsyncGenerator[Render, None]:
        """Yield the render as it is now, then each newer state in order, and end after the terminal one.

        A state that comes while nothing else is to be taken may go to `push` instead, in its place in the order.
        An operator may watch anybody's. Raises `RenderNotFound`. States that come faster than they are taken are
        skipped, never the last.
        Close the iterator (`contextlib.aclosing`) when leaving early.
        """
        if not is_render_id(render_id):
            raise RenderNotFound
        watch = Subscriber(render_id, push)
        owner = await self._owner(render_id, caller)
        async with self._present(owner, watch):
            stored = await self._store.get(render_id, owner=owner)
            if stored is None:
                raise RenderNotFound
            watch.offer(stored)
            while (taken := await watch.take()) is not None:
                render, published_at = taken
                yield render
                self._note_sent(published_at)
                if render.status.is_terminal:
                    return

    async def watch_all(self, caller: Caller, push: Push | None = None) -> AsyncGenerator[Render, None]:
        """Yield all of the caller's unfinished renders, oldest first, then every change of any of them, without end.

        `push` is as for `watch`.
        """
        watch = Subscriber(None, push)
        async with self._present(caller.id, watch):
            for render in await self._store.unfinished([caller.id], first=MAX_UNFINISHED_AT_ONCE):
                watch.offer(render)
            while (taken := await watch.take()) is not None:
                change, published_at = taken
                yield change
                self._note_sent(published_at)

    async def run(self) -> None:
        """Read the stored state of watched renders every `check_interval` and when pub/sub resumes, for ever."""
        while True:
            self.last_tick_at = self._clock.now()
            await self._clock.wait(self._pubsub.resumed, timeout_s=self._check_interval.total_seconds())
            self._pubsub.resumed.clear()
            try:
                await self.check()
            except Unavailable as error:
                log.warning("watched renders could not be read: %s", error)

    async def check(self) -> None:
        """Bring every watcher up to what is stored now."""
        await self._check_awaited()
        if owners := [owner for owner, room in self._rooms.items() if room.has_watchers_of_all()]:
            self._tell(await self._store.unfinished(owners, first=MAX_UNFINISHED_AT_ONCE * len(owners)))

    def _note_sent(self, published_at: datetime | None) -> None:
        """Report how long ago what was sent had been published: whoever asks for the next state has sent the last."""
        if published_at is not None:
            self._metrics.sent(1, published_at=published_at, now=self._clock.now())

    async def _owner(self, render_id: str, caller: Caller) -> str:
        """Return whose render the caller means: always their own, unless an operator asks."""
        found = await self._store.get_many([render_id]) if caller.is_operator else ()
        return found[0].owner if found else caller.id

    async def _check_awaited(self) -> None:
        awaited = {owner: room.awaited() for owner, room in self._rooms.items()}
        if not any(awaited.values()):
            return
        stored = await self._store.get_many(frozenset().union(*awaited.values()))
        self._tell(stored)
        there = {render.id for render in stored}
        for owner, render_ids in awaited.items():
            for render_id in render_ids - there:
                if room := self._rooms.get(owner):
                    room.lose(render_id)

    def _tell(self, renders: Iterable[Render]) -> None:
        for render in renders:
            if room := self._rooms.get(render.owner):
                room.tell(render)

    @asynccontextmanager
    async def _present(self, owner: str, watch: Subscriber) -> AsyncIterator[None]:
        room = self._rooms.setdefault(owner, OwnerChannel())
        room.join(watch)  # before it waits, so that nobody who leaves closes the room
        try:
            await self._open(room, owner)
            with self._metrics.subscribed():
                yield
        finally:
            room.leave(watch)
            if room.is_empty():
                del self._rooms[owner]  # whoever comes from now on opens another
                await asyncio.shield(room.subscription.aclose())

    async def _open(self, room: OwnerChannel, owner: str) -> None:
        """Listen to the owner's channel, unless somebody in the room does. Others wait for this room only."""
        async with room.door:
            if not room.is_listening:
                await room.subscription.enter_async_context(self._pubsub.listen(_channel(owner), self._hear))
                room.is_listening = True

    def _hear(self, messages: list[str]) -> None:
        newest: dict[str, Announcement] = {}
        for announced in documents.decode_announcements(messages):
            other = newest.get(announced.render.id)
            if other is None or other.render.revision < announced.render.revision:
                newest[announced.render.id] = announced
        for announced in newest.values():
            room = self._rooms.get(announced.render.owner)
            if room and (pushed := room.tell(announced.render, announced.published_at)):
                self._metrics.sent(pushed, published_at=announced.published_at, now=self._clock.now())


def _channel(owner: str) -> str:
    return f"renders:{owner}"
