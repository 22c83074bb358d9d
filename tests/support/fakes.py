"""Real implementations of the ports that keep their state in memory, so that tests can steer and look."""

import asyncio
import heapq
import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from services.errors import (
    BackendUnavailable,
    LeaseLost,
    StartImpossible,
    StartRefused,
    StartUncertain,
    StoreUnavailable,
)
from services.models import (
    Download,
    Failure,
    Output,
    QuotaWindow,
    Render,
    RenderFilter,
    RenderPhase,
    RenderStatus,
    WebhookStatus,
    replace,
)
from services.ports import (
    AddOutcome,
    AddResult,
    Backlog,
    Broken,
    Clock,
    Finished,
    Missing,
    Observation,
    Progress,
    Queue,
)
from services.webhooks.messages import WebhookMessage

START_OF_TIME = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
SETTLING_ROUNDS = 100


async def settle() -> None:
    """Let every task run until it waits for something that only time or a test can bring."""
    for _ in range(SETTLING_ROUNDS):
        await asyncio.sleep(0)


class FakeClock:
    """A clock that only moves when a test says so."""

    def __init__(self) -> None:
        self._now = START_OF_TIME
        self._sleepers: list[tuple[datetime, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def now(self) -> datetime:
        return self._now

    async def sleep(self, seconds: float) -> None:
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + timedelta(seconds=seconds), next(self._order), future))
        await future

    async def wait(self, event: asyncio.Event, *, timeout_s: float) -> bool:
        waits = [asyncio.ensure_future(event.wait()), asyncio.ensure_future(self.sleep(timeout_s))]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        return event.is_set()

    async def advance(self, seconds: float) -> None:
        """Move on, waking sleepers in the order of their times and letting each do its work at its time."""
        until = self._now + timedelta(seconds=seconds)
        await settle()
        while self._sleepers and self._sleepers[0][0] <= until:
            due, _, future = heapq.heappop(self._sleepers)
            self._now = max(self._now, due)
            if not future.done():
                future.set_result(None)
                await settle()
        self._now = until
        await settle()


@dataclass
class StoredRender:
    render: Render
    worker: str | None = None
    lease_until: datetime = START_OF_TIME


class MemoryStore:
    """A `RenderStore` without a disk.

    `away` makes every call fail, as a database does that can't be reached. A worker's next call of each method named
    in `lost_answers` fails after it changed something, as when a connection breaks.
    """

    def __init__(self, clock: Clock | None = None, *, announces_ends: bool = False) -> None:
        self.away = False
        self.lost_answers: set[str] = set()
        self.reads = 0
        self._clock = clock or FakeClock()
        self.outbox = MemoryOutbox(self._clock)
        self._announces_ends = announces_ends
        self._rows: dict[str, StoredRender] = {}
        self._units: dict[str, tuple[str, datetime]] = {}

    def _check(self) -> None:
        if self.away:
            raise StoreUnavailable("the store is away")

    def _answer(self, method: str) -> None:
        if method in self.lost_answers:
            self.lost_answers.remove(method)
            raise StoreUnavailable("no answer")

    async def add(self, render: Render, window: QuotaWindow) -> AddResult:
        self._check()
        used = await self.quota_used(window)
        key = render.idempotency_key
        for row in self._rows.values():
            if key is not None and (row.render.owner, row.render.idempotency_key) == (render.owner, key):
                return AddResult(verdict=AddOutcome.DUPLICATE, render=row.render, used=used)
        if used >= window.limit:
            return AddResult(verdict=AddOutcome.OVER_QUOTA, render=render, used=used)
        self._rows[render.id] = StoredRender(render)
        self._units[render.id] = (window.owner, window.starts_at)
        return AddResult(verdict=AddOutcome.ADDED, render=render, used=used + 1)

    async def quota_used(self, window: QuotaWindow) -> int:
        self._check()
        return sum(unit == (window.owner, window.starts_at) for unit in self._units.values())

    async def get(self, render_id: str, *, owner: str) -> Render | None:
        self._check()
        self.reads += 1
        row = self._rows.get(render_id)
        return row.render if row and row.render.owner == owner else None

    async def get_many(self, render_ids: Collection[str]) -> Sequence[Render]:
        self._check()
        self.reads += 1
        return [self._rows[render_id].render for render_id in render_ids if render_id in self._rows]

    async def list(
        self, *, owner: str | None, first: int, matching: RenderFilter, older_than: str | None = None
    ) -> Sequence[Render]:
        self._check()
        found = (row.render for _, row in sorted(self._rows.items(), reverse=True))
        kept = (r for r in found if _matches(r, owner, matching) and (older_than is None or r.id < older_than))
        return list(itertools.islice(kept, first))

    async def unfinished(self, owners: Collection[str], *, first: int) -> Sequence[Render]:
        self._check()
        self.reads += 1
        found = (row.render for _, row in sorted(self._rows.items()))
        return list(itertools.islice((r for r in found if r.owner in owners and not r.status.is_terminal), first))

    async def exists_newer(self, render_id: str, *, owner: str | None, matching: RenderFilter) -> bool:
        self._check()
        return any(_matches(row.render, owner, matching) and id_ >= render_id for id_, row in self._rows.items())

    async def queue_position(self, render: Render) -> int:
        self._check()
        queued = (row.render for row in self._rows.values() if row.render.status is RenderStatus.QUEUED)
        return 1 + sum(other.id < render.id for other in queued)

    async def queue(self) -> Queue:
        self._check()
        queued = [row.render for row in self._rows.values() if row.render.status is RenderStatus.QUEUED]
        oldest = min((render.created_at for render in queued), default=None)
        return Queue(depth=len(queued), oldest_created_at=oldest)

    async def acquire(
        self, *, worker: str, lease: timedelta, excluding: Collection[str] = (), queued: bool = True
    ) -> Render | None:
        self._check()
        now = self._clock.now()
        for id_, row in sorted(self._rows.items()):
            free = id_ not in excluding and (row.worker is None or row.lease_until <= now)
            due = row.render.due_at is None or row.render.due_at <= now
            wanted = {RenderStatus.QUEUED, RenderStatus.RENDERING} if queued else {RenderStatus.RENDERING}
            if free and due and row.render.status in wanted:
                row.worker, row.lease_until = worker, now + lease
                self._answer("acquire")
                return row.render
        return None

    async def renew(self, render_ids: Collection[str], *, worker: str, lease: timedelta) -> frozenset[str]:
        self._check()
        held = [row for id_, row in self._rows.items() if id_ in render_ids and row.worker == worker]
        for row in held:
            row.lease_until = self._clock.now() + lease
        return frozenset(row.render.id for row in held)

    async def release(self, render_ids: Collection[str] | None = None, *, worker: str) -> None:
        self._check()
        for id_, row in self._rows.items():
            if row.worker == worker and (render_ids is None or id_ in render_ids):
                row.worker = None

    async def record(self, render: Render, *, worker: str | None = None, lease: timedelta | None = None) -> bool:
        self._check()
        row = self._rows.get(render.id)
        if worker is not None and (row is None or row.worker != worker):
            raise LeaseLost(render.id)
        if row is None or row.render.revision != render.revision - 1:
            return False
        row.render = render
        if self._announces_ends and render.status.is_terminal:
            self.outbox.add(WebhookMessage(render=render))
        if lease is not None:
            row.lease_until = self._clock.now() + lease
        if render.status is not RenderStatus.RENDERING:
            row.worker = None
        if render.gives_quota_back:
            self._units.pop(render.id, None)
        if worker is not None:
            self._answer("record")
        return True

    async def delete(self, render_id: str, *, owner: str) -> bool:
        self._check()
        row = self._rows.get(render_id)
        if row is None or row.render.owner != owner or not row.render.status.is_terminal:
            return False
        del self._rows[render_id]
        return True


@dataclass
class StoredMessage:
    message: WebhookMessage
    worker: str | None = None
    lease_until: datetime = START_OF_TIME


class MemoryOutbox:
    """An `Outbox` without a disk. `away` makes every call fail."""

    def __init__(self, clock: Clock) -> None:
        self.away = False
        self._clock = clock
        self._rows: dict[str, StoredMessage] = {}

    def _check(self) -> None:
        if self.away:
            raise StoreUnavailable("the store is away")

    def add(self, message: WebhookMessage) -> None:
        self._rows.setdefault(message.id, StoredMessage(message))

    async def acquire(self, *, worker: str, lease: timedelta) -> WebhookMessage | None:
        self._check()
        now = self._clock.now()
        due = [
            row
            for row in self._rows.values()
            if row.message.status is WebhookStatus.PENDING
            and (row.message.due_at is None or row.message.due_at <= now)
            and (row.worker is None or row.lease_until <= now)
        ]
        if not due:
            return None
        row = min(due, key=lambda row: row.message.due_at or datetime.min.replace(tzinfo=UTC))
        row.worker, row.lease_until = worker, now + lease
        return row.message

    async def record(self, message: WebhookMessage, *, worker: str | None = None) -> bool:
        self._check()
        now = self._clock.now()
        for id_, row in list(self._rows.items()):
            if row.message.expires_at is not None and row.message.expires_at <= now:
                del self._rows[id_]
        stored = self._rows.get(message.id)
        if stored is None or stored.message.revision != message.revision - 1 or worker not in {None, stored.worker}:
            return False
        stored.message = message
        if not message.is_under_way:
            stored.worker = None
        return True

    async def release(self, *, worker: str) -> None:
        self._check()
        for row in self._rows.values():
            if row.worker == worker:
                row.worker = None

    async def get(self, message_id: str) -> WebhookMessage | None:
        self._check()
        row = self._rows.get(message_id)
        return row.message if row else None

    async def list(self, *, first: int, status: WebhookStatus | None = None) -> Sequence[WebhookMessage]:
        self._check()
        found = [row.message for row in self._rows.values() if status in {None, row.message.status}]
        return sorted(found, key=lambda message: message.occurred_at, reverse=True)[:first]

    async def backlog(self) -> Backlog:
        self._check()
        pending = [row.message for row in self._rows.values() if row.message.status is WebhookStatus.PENDING]
        oldest = min((message.occurred_at for message in pending), default=None)
        return Backlog(pending=len(pending), oldest_occurred_at=oldest)


def _matches(render: Render, owner: str | None, matching: RenderFilter) -> bool:
    return (
        owner in {None, render.owner}
        and (matching.statuses is None or render.status in matching.statuses)
        and (matching.generation_id is None or render.generation_id == matching.generation_id)
    )


@dataclass
class FakeBackend:
    """A `RenderBackend` whose attempts do what a test tells them. Keyed by render id.

    With `concurrency`, no more functions run at once: each attempt is one until it draws frames, then it has
    `functions`.
    """

    capacity: int = 4
    poll_interval: timedelta = timedelta(seconds=1)
    limit: timedelta = timedelta(minutes=5)
    refusals: int = 0
    concurrency: int | None = None
    functions: int = 1
    impossible: Failure | None = None
    lost_answers: int = 0
    unavailable: bool = False
    lasting_fault: Failure | None = None
    answer: asyncio.Event | None = None
    refused: int = 0
    starts: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    abandoned: list[tuple[str, str | None]] = field(default_factory=list)
    attempts: dict[str, Observation] = field(default_factory=dict)
    outputs: set[str] = field(default_factory=set)
    signed: list[str] = field(default_factory=list)

    def time_limit(self, render: Render) -> timedelta:
        del render
        return self.limit

    async def start(self, render: Render) -> str:
        if self.refusals:
            self.refusals -= 1
            raise StartRefused("no room")
        if not self._has_room(1):
            self.refused += 1
            raise StartRefused("no room")
        if self.impossible is not None:
            raise StartImpossible(self.impossible)
        self.starts.append(render.id)
        self.attempts[render.id] = Progress(phase=RenderPhase.LAUNCHING, fraction=0.0, frames_rendered=0)
        if self.lost_answers:
            self.lost_answers -= 1
            raise StartUncertain("no answer")
        if self.answer is not None:
            await self.answer.wait()
        return f"attempt-{len(self.starts)}"

    async def observe(self, render: Render) -> Observation:
        if self.unavailable:
            raise BackendUnavailable("no answer", failure=self.lasting_fault)
        return self.attempts.get(render.id, Missing())

    async def cancel(self, render: Render) -> None:
        if self.unavailable:
            raise BackendUnavailable("no answer")
        self.cancelled.append(render.id)
        self.attempts.pop(render.id, None)

    async def abandon(self, render: Render) -> None:
        self.abandoned.append((render.id, render.backend_render_id))

    def sign(self, output: Output, *, expires_in: timedelta) -> Download:
        self.signed.append(output.key)
        return Download(url=f"https://videos.example/{output.key}", expires_at=START_OF_TIME + expires_in)

    def sign_poster(self, output: Output, *, expires_in: timedelta) -> Download | None:
        return (
            None
            if output.poster_key is None
            else self.sign(replace(output, key=output.poster_key), expires_in=expires_in)
        )

    async def has_output(self, output: Output) -> bool:
        return output.key in self.outputs

    async def delete(self, render: Render) -> None:
        if render.output is not None:
            self.outputs.discard(render.output.key)

    def progress(self, render_id: str, frames: int, *, of: int = 90) -> None:
        """Let the attempt report frames."""
        self.attempts[render_id] = Progress(
            phase=RenderPhase.RENDERING_FRAMES, fraction=frames / of, frames_rendered=frames
        )

    def draw(self, render_id: str, frames: int, *, of: int = 90) -> None:
        """Let the attempt go on by so many frames to its end. If its functions find no room, it breaks at its first."""
        attempt = self.attempts[render_id]
        assert isinstance(attempt, Progress)
        drawn = attempt.frames_rendered + frames
        if not attempt.frames_rendered and not self._has_room(self.functions - 1):
            self.break_down(render_id, retryable=True, busy=True)
        elif drawn < of:
            self.progress(render_id, drawn, of=of)
        else:
            self.finish(render_id)

    def _has_room(self, functions: int) -> bool:
        running = [attempt for attempt in self.attempts.values() if isinstance(attempt, Progress)]
        used = sum(self.functions if attempt.frames_rendered else 1 for attempt in running)
        return self.concurrency is None or used + functions <= self.concurrency

    def finish(self, render_id: str) -> None:
        """Let the attempt have made its video."""
        output = Output(bucket="fake", key=f"{render_id}.mp4", size_bytes=1000, poster_key=f"{render_id}.jpg")
        self.outputs.add(output.key)
        self.attempts[render_id] = Finished(output=output, cost_usd=0.01)

    def break_down(self, render_id: str, *, retryable: bool, busy: bool = False) -> None:
        """Let the attempt have failed."""
        failure = Failure(code="BROKEN", message="It broke.", retryable=retryable)
        self.attempts[render_id] = Broken(failure=failure, busy=busy)

    def forget(self, render_id: str) -> None:
        """Know nothing of the attempt any more."""
        self.attempts.pop(render_id, None)


def copy_of(render: Render, **changes: object) -> Render:
    """Return the render with other values, without asking whether a render can get there."""
    return replace(render, **changes)  # type: ignore[arg-type]
