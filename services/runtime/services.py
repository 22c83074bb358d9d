"""The services of a process, composed from open adapters."""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from services.observability.call_timing import timed
from services.observability.metrics import Metrics
from services.observability.spans import SpanOf, no_span
from services.ports import Clock, RenderBackend, RenderStore
from services.realtime.hub import ProgressHub
from services.realtime.pubsub import PubSub
from services.renders.quota import QuotaRule
from services.renders.service import RenderService
from services.renders.validation import FPS, AnimationLimits
from services.settings import Settings, WorkerSettings
from services.supervision import BackgroundLoop
from services.webhooks.ports import Outbox
from services.worker.render_run import RunLimits
from services.worker.worker import Worker, WorkerOptions

if TYPE_CHECKING:
    from services.backends.text.backend import TextBackend
    from services.observability.tracing import Tracing
    from services.webhooks.deliverer import WebhookDeliverer
    from services.webhooks.endpoint import WebhookEndpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The services of a process.

    `backend` is None if no renderer can be used, `worker` if the process is not a worker, `outbox` if the store has
    none, `deliverer` if the process is not a worker or webhooks are not configured, and `tracing` if traces are not
    exported.
    """

    settings: Settings
    clock: Clock
    metrics: Metrics
    store: RenderStore
    pubsub: PubSub
    backend: RenderBackend | None
    hub: ProgressHub
    renders: RenderService
    worker: Worker | None
    outbox: Outbox | None
    deliverer: "WebhookDeliverer | None"
    tracing: "Tracing | None"

    @property
    def loops(self) -> Mapping[str, BackgroundLoop]:
        """The background loops of this process by name. Each must be running."""
        loops = {"hub": self.hub, "worker": self.worker, "webhook deliverer": self.deliverer}
        return {name: loop for name, loop in loops.items() if loop is not None}

    @property
    def text_backend(self) -> "TextBackend | None":
        """The backend, if it is the text renderer, whose videos this process must serve."""
        from services.backends.text.backend import TextBackend

        return self.backend if isinstance(self.backend, TextBackend) else None


def compose(  # noqa: PLR0913  # each part of the process, once
    settings: Settings,
    *,
    clock: Clock,
    store: RenderStore,
    pubsub: PubSub,
    backend: RenderBackend | None,
    with_worker: bool,
    outbox: Outbox | None = None,
    endpoint: "WebhookEndpoint | None" = None,
    tracing: "Tracing | None" = None,
) -> Services:
    """Return the services on these open adapters."""
    check_interval = timedelta(seconds=settings.worker.check_interval_s)
    metrics = Metrics()
    store, pubsub = timed(store, metrics.store), timed(pubsub, metrics.pubsub)
    hub = ProgressHub(store=store, pubsub=pubsub, clock=clock, metrics=metrics, check_interval=check_interval)
    renders = RenderService(
        store=store,
        backend=backend,
        hub=hub,
        clock=clock,
        metrics=metrics,
        quota_rule=QuotaRule(
            limit=settings.renders.quota_limit, window=timedelta(seconds=settings.renders.quota_window_s)
        ),
        limits=AnimationLimits(
            max_duration_s=settings.renders.max_duration_s, fps=FPS, max_text_length=settings.renders.max_text_length
        ),
        download_expiry=settings.renders.download_expiry,
    )
    make_worker = partial(
        Worker,
        store=store,
        hub=hub,
        pubsub=pubsub,
        clock=clock,
        metrics=metrics,
        options=_worker_options(settings.worker),
    )
    worker_id = f"{os.getpid()}-{secrets.token_hex(6)}"
    if tracing:
        make_worker = partial(make_worker, span_of=tracing.attempt)
    traced_backend = tracing.backend(backend) if tracing and backend else backend
    worker = make_worker(worker_id=worker_id, backend=traced_backend) if with_worker and traced_backend else None
    opened_at = clock.now()
    deliverer = None
    if worker and outbox and endpoint:
        span_of = tracing.webhook if tracing else no_span
        deliverer = _deliverer(settings, worker_id, outbox, endpoint, renders, span_of)
    metrics.follow_loop("hub", lambda: hub.last_tick_at or opened_at)
    if deliverer:
        metrics.follow_loop("webhooks", lambda: deliverer.last_tick_at or opened_at)
    if worker and backend:
        metrics.follow_loop("worker", lambda: worker.last_tick_at or opened_at)
        metrics.follow_worker(lambda: worker.running, capacity=backend.capacity)
    return Services(
        settings=settings,
        clock=clock,
        metrics=metrics,
        store=store,
        pubsub=pubsub,
        backend=backend,
        hub=hub,
        renders=renders,
        worker=worker,
        outbox=outbox,
        deliverer=deliverer,
        tracing=tracing,
    )


def _deliverer(
    settings: Settings,
    worker_id: str,
    outbox: Outbox,
    endpoint: "WebhookEndpoint",
    renders: RenderService,
    span_of: SpanOf,
) -> "WebhookDeliverer":
    from services.webhooks.deliverer import DeliveryOptions, WebhookDeliverer

    return WebhookDeliverer(
        worker_id=worker_id,
        outbox=outbox,
        endpoint=endpoint,
        signer=renders,
        clock=renders.clock,
        metrics=renders.metrics,
        options=DeliveryOptions(
            lease=timedelta(seconds=settings.worker.lease_s + endpoint.config.timeout_s),
            poll_interval=timedelta(seconds=settings.worker.acquire_interval_s),
            secrets=endpoint.config.secrets,
        ),
        span_of=span_of,
    )


def _worker_options(settings: WorkerSettings) -> WorkerOptions:
    return WorkerOptions(
        lease=timedelta(seconds=settings.lease_s),
        poll_interval=timedelta(seconds=settings.acquire_interval_s),
        limits=RunLimits(queue_timeout=timedelta(seconds=settings.queue_timeout_s), max_attempts=settings.max_attempts),
    )
