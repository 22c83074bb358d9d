"""The sending half of the hub: publishes changes of renders, and notifies workers."""

import logging
from collections.abc import Sequence

from services import stored_documents
from services.errors import Unavailable
from services.models import Render
from services.observability import spans
from services.observability.metrics import Metrics
from services.ports import Clock
from services.realtime.owner_channels import channel_name
from services.realtime.pubsub import PubSub
from services.stored_documents import Announcement

WORK_CHANNEL = "work"
# A worker that looks for renders listens on one of these while it has capacity and the queue is empty. There are more
# than most deployments have workers, so that a start wakes one of them.
IDLE_CHANNELS = tuple(f"idle-worker:{number}" for number in range(64))
QUEUED = "queued"  # the message on them, whose content is not read

log = logging.getLogger(__name__)


class ChangePublisher:
    """Publishes changes that have been stored. If the broker is unavailable, this is logged and not raised."""

    def __init__(self, *, pubsub: PubSub, clock: Clock, metrics: Metrics) -> None:
        self._pubsub = pubsub
        self._clock = clock
        self._metrics = metrics

    async def publish(self, render: Render) -> None:
        """Publish a change."""
        self._record(render)
        await self._announce(render)

    async def publish_queued(self, renders: Sequence[Render]) -> None:
        """Publish renders that have been added to the queue, and notify one idle worker as `wake_idle_worker` does."""
        for render in renders:
            self._record(render)
        messages = [self._announcement(render) for render in renders]
        try:
            await self._pubsub.publish_to_one(IDLE_CHANNELS, QUEUED, before=messages)
        except Unavailable as error:
            started = ", ".join(render.id for render in renders)
            log.warning("the start of %s was not published, or no worker was woken: %s", started, error)

    async def publish_deletion(self, render: Render) -> None:
        """Publish that a render has been deleted from the store."""
        await self._announce(render, is_deleted=True)

    async def notify_worker(self, render_id: str) -> None:
        """Notify the worker that runs a render of a change. It also polls, so a lost notification is harmless."""
        try:
            await self._pubsub.publish(WORK_CHANNEL, render_id)
        except Unavailable as error:
            log.warning("the worker of render %s was not notified: %s", render_id, error)

    async def wake_idle_worker(self) -> None:
        """Notify one idle worker, if there is any, that renders are queued. Workers also poll."""
        try:
            await self._pubsub.publish_to_one(IDLE_CHANNELS, QUEUED)
        except Unavailable as error:
            log.warning("no worker was woken: %s", error)

    def _record(self, render: Render) -> None:
        self._metrics.render_changed(render)
        spans.record_change(render)

    def _announcement(self, render: Render, *, is_deleted: bool = False) -> tuple[str, str]:
        """Return the channel and the message of a change."""
        announcement = Announcement(render=render, published_at=self._clock.now(), is_deleted=is_deleted)
        return channel_name(render.owner), stored_documents.encode_announcement(announcement)

    async def _announce(self, render: Render, *, is_deleted: bool = False) -> None:
        channel, message = self._announcement(render, is_deleted=is_deleted)
        try:
            await self._pubsub.publish(channel, message)
        except Unavailable as error:
            log.warning("a change of render %s was not published: %s", render.id, error)
