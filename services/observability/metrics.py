"""The Prometheus metrics of a process. docs/operating.md explains each.

Labels have few values: statuses, error codes, operations, loops. They never contain an id, since each value creates a
new series.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

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

from services.models import Render, RenderStatus, WebhookStatus
from services.observability.durations import SHORT_BUCKETS_S, CallMetrics, LagHistogram, seconds_between

CONTENT_TYPE = CONTENT_TYPE_LATEST
LONG_BUCKETS_S = (1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 86_400)


class Metrics:
    """The metrics of one process, in a registry of their own."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # they would double all counters' series
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.store = CallMetrics(registry, "store", "the store")
        self.pubsub = CallMetrics(registry, "pubsub", "pub/sub")
        self._started = Counter("rendercast_renders_started_total", "Renders queued.", registry=registry)
        self._ended = Counter(
            "rendercast_renders_ended_total",
            "Renders ended; `code` is empty unless they failed.",
            ["status", "code"],
            registry=registry,
        )
        for status in (RenderStatus.COMPLETE, RenderStatus.CANCELLED):  # so that a rate includes the first
            self._ended.labels(status.value, "")
        self._durations = Histogram(
            "rendercast_render_duration_seconds",
            "Time from the creation of a render to its end, including its time in the queue.",
            ["status"],
            buckets=LONG_BUCKETS_S,
            registry=registry,
        )
        self._rejections = Counter(
            "rendercast_quota_refusals_total", "Starts rejected because the quota was used up.", registry=registry
        )
        self._throttled = Counter(
            "rendercast_throttle_pauses_total",
            "Pauses because all callers with work had used more than their share of the process's time.",
            registry=registry,
        )
        self._depth = Gauge(
            "rendercast_queue_depth", "Renders in the queue, of all users; NaN if unknown.", registry=registry
        )
        self._age = Gauge(
            "rendercast_queue_oldest_age_seconds",
            "Time since the oldest render in the queue was created; 0 if it is empty, NaN if unknown.",
            registry=registry,
        )
        self._store_up = Gauge(
            "rendercast_store_up", "1 if the store could be read at the last scrape, else 0.", registry=registry
        )
        self._pubsub_up = Gauge(
            "rendercast_pubsub_up", "1 if pub/sub could be used at the last scrape, else 0.", registry=registry
        )
        self._running = Gauge("rendercast_running_renders", "Renders that this process runs now.", registry=registry)
        self._capacity = Gauge(
            "rendercast_worker_capacity",
            "Maximum number of renders that this process runs concurrently.",
            registry=registry,
        )
        self._poll_lags = Histogram(
            "rendercast_poll_lag_seconds",
            "Time from when a progress poll was due to its result.",
            buckets=SHORT_BUCKETS_S,
            registry=registry,
        )
        self._poll_failures = Counter("rendercast_poll_failures_total", "Failed progress polls.", registry=registry)
        self._compositions = Gauge(
            "rendercast_compositions", "Compositions that this worker has discovered.", registry=registry
        )
        self._discovery_failures = Counter(
            "rendercast_discovery_failures_total", "Failed discoveries of the compositions.", registry=registry
        )
        self._leases_lost = Counter(
            "rendercast_leases_lost_total", "Renders whose lease this worker lost.", registry=registry
        )
        self._send_lags = LagHistogram(
            registry,
            "rendercast_publish_to_send_lag_seconds",
            "Time from publishing a change to sending it to a subscriber.",
        )
        self._connections = Gauge("rendercast_connections", "Open WebSockets and streams over HTTP.", registry=registry)
        self._subscriptions = Gauge("rendercast_subscriptions", "Active subscriptions to renders.", registry=registry)
        self._webhook_attempts = Counter(
            "rendercast_webhook_attempts_total",
            "Webhook delivery attempts, by the message's status afterwards: delivered, pending (is retried) or failed.",
            ["status"],
            registry=registry,
        )
        for outcome in WebhookStatus:
            self._webhook_attempts.labels(outcome.value)
        self._webhooks_pending = Gauge(
            "rendercast_webhooks_pending", "Webhook messages to deliver; NaN if unknown.", registry=registry
        )
        self._webhooks_age = Gauge(
            "rendercast_webhooks_oldest_age_seconds",
            "Time since the end of the render that the oldest of them reports; 0 without any, NaN if unknown.",
            registry=registry,
        )
        self._free_space = Gauge(
            "rendercast_data_folder_free_bytes",
            "Free space of the data folder's file system; NaN if unknown.",
            registry=registry,
        )
        self._skipped = Gauge(
            "rendercast_skipped_documents",
            "Stored documents that this process has skipped, since a newer version wrote them or they are damaged.",
            registry=registry,
        )
        self._ticks = Gauge(
            "rendercast_last_tick_timestamp_seconds",
            "Unix time of a background loop's last completed iteration.",
            ["loop"],
            registry=registry,
        )

    def render_changed(self, render: Render) -> None:
        """Count a stored change of a render. Each change must be reported once."""
        if render.revision == 1:
            self._started.inc()
        if render.status.is_terminal:
            self._ended.labels(render.status.value, render.failure.code if render.failure else "").inc()
            if render.completed_at is not None:
                duration_s = seconds_between(render.created_at, render.completed_at)
                self._durations.labels(render.status.value).observe(duration_s)

    def throttled(self) -> None:
        """Count a pause because all callers with work have used more than their share of time."""
        self._throttled.inc()

    def quota_rejected(self) -> None:
        """Count a start that was rejected because of the quota."""
        self._rejections.inc()

    def set_queue(self, depth: float, *, oldest_age_s: float) -> None:
        """Set the state of the queue; both NaN if the store can't be read."""
        self._store_up.set(not math.isnan(depth))
        self._depth.set(depth)
        self._age.set(oldest_age_s)

    def webhook_attempted(self, status: WebhookStatus) -> None:
        """Count a delivery attempt that has ended, with the status of its message afterwards."""
        self._webhook_attempts.labels(status.value).inc()

    def set_outbox(self, pending: float, *, oldest_age_s: float) -> None:
        """Set the state of the webhook outbox; both NaN if it can't be read."""
        self._webhooks_pending.set(pending)
        self._webhooks_age.set(oldest_age_s)

    def set_pubsub(self, *, is_up: bool) -> None:
        """Set whether pub/sub can be used."""
        self._pubsub_up.set(is_up)

    def set_free_space(self, size: float) -> None:
        """Set the free space of the data folder's file system in bytes; NaN if it is unknown."""
        self._free_space.set(size)

    def polled(self, *, lag_s: float) -> None:
        """Report a successful progress poll that ended this many seconds after it was due."""
        self._poll_lags.observe(lag_s)

    def poll_failed(self) -> None:
        """Count a failed progress poll."""
        self._poll_failures.inc()

    def catalog_refreshed(self, compositions: int) -> None:
        """Set the number of compositions of the current catalog."""
        self._compositions.set(compositions)

    def catalog_refresh_failed(self) -> None:
        """Count a failed discovery."""
        self._discovery_failures.inc()

    def lease_lost(self) -> None:
        """Count a render whose lease this worker lost."""
        self._leases_lost.inc()

    def sent(self, subscribers: int, *, published_at: datetime, now: datetime) -> None:
        """Report that a change was sent to this number of subscribers."""
        self._send_lags.observe(published_at, now, subscribers)

    @contextmanager
    def connected(self) -> Iterator[None]:
        """Count a WebSocket, or a stream over HTTP, while the context is open."""
        with self._connections.track_inprogress():
            yield

    def subscription_opened(self) -> None:
        """Count a subscription until `subscription_closed` is called."""
        self._subscriptions.inc()

    def subscription_closed(self) -> None:
        """Stop counting a subscription."""
        self._subscriptions.dec()

    def register_loop(self, name: str, last_tick_at: Callable[[], datetime]) -> None:
        """At each scrape, call `last_tick_at` for the time of the loop's last completed iteration."""
        self._ticks.labels(name).set_function(lambda: last_tick_at().timestamp())

    def register_skipped_documents(self, count: Callable[[], int]) -> None:
        """At each scrape, call `count` for the number of stored documents that the process has skipped."""
        self._skipped.set_function(count)

    def register_worker(self, running: Callable[[], int], *, capacity: int) -> None:
        """At each scrape, call `running` for the number of renders that the worker runs."""
        self._running.set_function(running)
        self._capacity.set(capacity)

    def text(self) -> bytes:
        """Return all metrics in the format `CONTENT_TYPE`."""
        return generate_latest(self._registry)
