"""The watchers of batches in this process, and the progress that was read last for each owner's batches.

A batch's progress is read from the store after a change of one of its renders. All watchers of a batch share a read,
and the reads of one owner's batches are made one at a time, so that an owner who watches many delays no other user.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable

from services.models.batches import BatchProgress

ReadProgress = Callable[[], Awaitable[BatchProgress | None]]


class BatchWatch:
    """Signals the changes of one batch. `changed` is set from the start, and after each change."""

    __slots__ = ("_owner_batches", "batch_id", "changed")

    def __init__(self, batch_id: str, owner_batches: "OwnerBatches") -> None:
        self.batch_id = batch_id
        self.changed = asyncio.Event()
        self.changed.set()
        self._owner_batches = owner_batches

    async def read(self, read_progress: ReadProgress) -> BatchProgress | None:
        """Return the progress. A read by another watcher that began after this call is reused."""
        return await self._owner_batches.read(self.batch_id, read_progress)


class OwnerBatches:
    """The watched batches of one owner."""

    __slots__ = ("_latest", "_lock", "_sequence", "_watches")

    def __init__(self) -> None:
        self._watches: defaultdict[str, set[BatchWatch]] = defaultdict(set)
        self._latest: dict[str, tuple[int, BatchProgress | None]] = {}  # by id of the batch: when its read began
        self._sequence = 0  # of calls and reads
        self._lock = asyncio.Lock()

    def __bool__(self) -> bool:
        return bool(self._watches)

    def add(self, watch: BatchWatch) -> None:
        """Notify the watch of later changes."""
        self._watches[watch.batch_id].add(watch)

    def remove(self, watch: BatchWatch) -> None:
        """Stop notifying the watch."""
        self._watches[watch.batch_id].discard(watch)
        if not self._watches[watch.batch_id]:
            del self._watches[watch.batch_id]
            self._latest.pop(watch.batch_id, None)

    def notify(self, batch_id: str | None) -> None:
        """Notify the watches of a batch of a change."""
        for watch in self._watches.get(batch_id or "", ()):
            watch.changed.set()

    def notify_all(self) -> None:
        """Notify all watches, since changes may have been missed."""
        for batch_id in self._watches:
            self.notify(batch_id)

    async def read(self, batch_id: str, read_progress: ReadProgress) -> BatchProgress | None:
        """Return the batch's progress. A read that began after this call is reused."""
        self._sequence += 1
        called = self._sequence
        async with self._lock:
            began, latest = self._latest.get(batch_id, (0, None))
            if began > called:
                return latest
            self._sequence += 1
            began = self._sequence
            progress = await read_progress()
            self._latest[batch_id] = began, progress
            return progress
