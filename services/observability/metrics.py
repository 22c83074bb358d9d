"""What Rendercast counts and measures of itself, for Prometheus. docs/operating.md tells what each figure means.

Labels have few values: statuses, error codes, operations, loops. Never an id: each value is a series of its own.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import accumulate

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.metrics_core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from services.models import Render, RenderStatus, WebhookStatus

CONTENT_TYPE = CONTENT_TYPE_LATEST
BRIEF_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
MAX_UNCOUNTED = 500
LONG_S = (1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 86_400)


class Calls:
    """How long the calls to one thing we depend on take, and which fail."""

    def __init__(self, registry: CollectorRegistry, name: str, words: str) -> None:
        self._durations = Histogram(
            f"rendercast_{name}_duration_seconds",
            f"How long calls to {words} took, whether they failed or not.",
            ["operation"],
            buckets=BRIEF_S,
            registry=registry,
        )
        self._failures = Counter(
            f"rendercast_{name}_failures_total",
            f"Calls to {words} that found it away.",
            ["operation"],
            registry=registry,
        )

    def of(self, operation: str) -> tuple[Callable[[float], None], Callable[[], None]]:
        """Return how to report that such a call took so many seconds, and that one failed."""
        return self._durations.labels(operation).observe, self._failures.labels(operation).inc


class Lags(Collector):
    """A histogram of brief spans of time, many of which may be reported at once.

    They are counted many together, which takes a fraction of counting each between other work: 2 µs of each message.
    """

    def __init__(self, registry: CollectorRegistry, name: str, words: str) -> None:
        self._name, self._words = name, words
        self._counts = [0] * (len(BRIEF_S) + 1)
        self._sum_s = 0.0
        self._uncounted: list[tuple[datetime, datetime, int]] = []
        registry.register(self)

    def observe(self, begin: datetime, end: datetime, times: int) -> None:
        """Report that something took from `begin` to `end`, so many times."""
        self._uncounted.append((begin, end, times))
        if len(self._uncounted) >= MAX_UNCOUNTED:
            self._count()

    def _count(self) -> None:
        uncounted, self._uncounted = self._uncounted, []
        for begin, end, times in uncounted:
            seconds = _s(begin, end)
            self._counts[bisect_left(BRIEF_S, seconds)] += times
            self._sum_s += seconds * times

    def collect(self) -> Iterator[Metric]:
        """Yield the histogram as it is."""
        self._count()
        counts = zip([*map(str, BRIEF_S), "+Inf"], accumulate(self._counts), strict=True)
        yield HistogramMetricFamily(self._name, self._words, buckets=list(counts), sum_value=self._sum_s)


class Metrics:
    """The figures of one process, in a registry of their own; its methods are for whoever has something to report."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # series that double all counters and that nothing here asks for
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.store = Calls(registry, "store", "the store")
        self.pubsub = Calls(registry, "pubsub", "pub/sub")
        self._started = Counter("rendercast_renders_started_total", "Renders that were queued.", registry=registry)
        self._ended = Counter(
            "rendercast_renders_ended_total",
            "Renders that have ended; `code` is empty unless they failed.",
            ["status", "code"],
            registry=registry,
        )
        for status in (RenderStatus.COMPLETE, RenderStatus.CANCELLED):  # which a rate misses the first of otherwise
            self._ended.labels(status.value, "")
        self._durations = Histogram(
            "rendercast_render_duration_seconds",
            "From the start that a user asked for to the end, waiting in the queue included.",
            ["status"],
            buckets=LONG_S,
            registry=registry,
        )
        self._refusals = Counter(
            "rendercast_quota_refusals_total", "Starts refused since their quota was used.", registry=registry
        )
        self._depth = Gauge(
            "rendercast_queue_depth", "Renders in the queue, of all owners; NaN if not known.", registry=registry
        )
        self._age = Gauge(
            "rendercast_queue_oldest_age_seconds",
            "Time since the oldest render in the queue was asked for; 0 if there is none, NaN if not known.",
            registry=registry,
        )
        self._carried = Gauge("rendercast_carried_renders", "Renders this process carries now.", registry=registry)
        self._capacity = Gauge("rendercast_worker_capacity", "Renders it carries at once at most.", registry=registry)
        self._poll_lags = Histogram(
            "rendercast_poll_lag_seconds",
            "From when a render was to be looked at to when it was known how it stands.",
            buckets=BRIEF_S,
            registry=registry,
        )
        self._poll_failures = Counter(
            "rendercast_poll_failures_total", "Looks at a render that told nothing.", registry=registry
        )
        self._leases_lost = Counter(
            "rendercast_leases_lost_total", "Renders that were taken from this worker.", registry=registry
        )
        self._send_lags = Lags(
            registry,
            "rendercast_publish_to_send_lag_seconds",
            "From the publishing of a change to its sending to a subscriber.",
        )
        self._connections = Gauge("rendercast_connections", "WebSockets that are open.", registry=registry)
        self._subscriptions = Gauge("rendercast_subscriptions", "Subscriptions to renders.", registry=registry)
        self._webhook_attempts = Counter(
            "rendercast_webhook_attempts_total",
            "Attempts to deliver a webhook, by what became of its message: delivered, still pending, or given up.",
            ["status"],
            registry=registry,
        )
        for outcome in WebhookStatus:
            self._webhook_attempts.labels(outcome.value)
        self._webhooks_pending = Gauge(
            "rendercast_webhooks_pending", "Webhook messages to be delivered; NaN if not known.", registry=registry
        )
        self._webhooks_age = Gauge(
            "rendercast_webhooks_oldest_age_seconds",
            "Time since the end that the oldest of them tells of; 0 if there is none, NaN if not known.",
            registry=registry,
        )
        self._ticks = Gauge(
            "rendercast_last_tick_timestamp_seconds",
            "When a background loop was last seen going on, in Unix time.",
            ["loop"],
            registry=registry,
        )

    def changed(self, render: Render) -> None:
        """Report a change of a render that has been stored, once."""
        if render.revision == 1:
            self._started.inc()
        if render.status.is_terminal:
            self._ended.labels(render.status.value, render.failure.code if render.failure else "").inc()
        if render.status.is_terminal and render.completed_at is not None:
            self._durations.labels(render.status.value).observe(_s(render.created_at, render.completed_at))

    def quota_refused(self) -> None:
        """Report a start that was refused."""
        self._refusals.inc()

    def queued(self, depth: float, *, oldest_age_s: float) -> None:
        """Report the queue; both NaN if it can't be read."""
        self._depth.set(depth)
        self._age.set(oldest_age_s)

    def webhook_attempted(self, status: WebhookStatus) -> None:
        """Report an attempt that has ended, and how its message stands after it."""
        self._webhook_attempts.labels(status.value).inc()

    def webhooks_waiting(self, pending: float, *, oldest_age_s: float) -> None:
        """Report the outbox; both NaN if it can't be read."""
        self._webhooks_pending.set(pending)
        self._webhooks_age.set(oldest_age_s)

    def polled(self, *, due_at: datetime, now: datetime) -> None:
        """Report that a render was looked at."""
        self._poll_lags.observe(_s(due_at, now))

    def poll_failed(self) -> None:
        """Report that one could not be looked at."""
        self._poll_failures.inc()

    def lease_lost(self) -> None:
        """Report a render that another worker has now."""
        self._leases_lost.inc()

    def sent(self, subscribers: int, *, published_at: datetime, now: datetime) -> None:
        """Report that so many subscribers were sent a change."""
        self._send_lags.observe(published_at, now, subscribers)

    @contextmanager
    def connected(self) -> Iterator[None]:
        """Report a WebSocket while it is open."""
        with self._connections.track_inprogress():
            yield

    @contextmanager
    def subscribed(self) -> Iterator[None]:
        """Report a subscription while it goes on."""
        with self._subscriptions.track_inprogress():
            yield

    def follow_loop(self, name: str, last_tick_at: Callable[[], datetime]) -> None:
        """Ask this at each scrape when the loop last ticked."""
        self._ticks.labels(name).set_function(lambda: last_tick_at().timestamp())

    def follow_worker(self, carried: Callable[[], int], *, capacity: int) -> None:
        """Ask this at each scrape how many renders the worker carries."""
        self._carried.set_function(carried)
        self._capacity.set(capacity)

    def text(self) -> bytes:
        """Return all figures as `CONTENT_TYPE`."""
        return generate_latest(self._registry)


def _s(begin: datetime, end: datetime) -> float:
    """Return the seconds between times that clocks of two machines may have told."""
    return max(0.0, (end - begin).total_seconds())
