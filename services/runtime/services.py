"""The services of a process, composed from open adapters."""

import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from services.backends.storing import StoringBackend
from services.background.retention import RetentionLoop, RetentionTarget
from services.background.supervision import BackgroundLoop
from services.compositions.catalog import CatalogReader
from services.compositions.ports import CatalogStore, WatchesSite
from services.compositions.refresh import CatalogRefresher
from services.observability.call_timing import timed
from services.observability.metrics import Metrics
from services.observability.spans import no_span
from services.ports import Clock, RenderBackend, RenderStore, ReportsChanges
from services.realtime.hub import ProgressHub
from services.realtime.pubsub import PubSub
from services.renders.batches import BatchService
from services.renders.media_limits import MediaLimits
from services.renders.quota import QuotaRule
from services.renders.render_tokens import RenderTokens
from services.renders.requests import RequestLimits
from services.renders.service import RenderService
from services.renders.validation import FPS, AnimationLimits
from services.runtime.fonts import fonts_of
from services.settings import AuthSettings, RenderSettings, Settings, WorkerSettings
from services.settings.issuers import split_secrets
from services.storage.folder_storage import FolderStorage
from services.webhooks.ports import Outbox
from services.worker.run_context import RunLimits
from services.worker.worker import Worker, WorkerOptions

if TYPE_CHECKING:
    from services.backends.text.font_library import FontLibrary
    from services.observability.tracing import Tracing
    from services.webhooks.deliverer import WebhookDeliverer
    from services.webhooks.endpoint import WebhookEndpoint

LOOP_LABELS = {
    "webhook deliverer": "webhooks",
    "catalog refresher": "catalog",
}  # labels of metrics, where they differ from the loops' names


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The services of a process.

    `backend` is None if no renderer can be used, `worker` if the process is not a worker, `outbox` if the store has
    none, `deliverer` if the process is not a worker or webhooks are not configured, `refresher` if the process is not a
    worker, `retention` if the process is not a worker or has nothing to delete after a time, `tracing` if traces are
    not exported, and `data_folder` if the store is not in a folder of this machine.
    """

    settings: Settings
    clock: Clock
    metrics: Metrics
    store: RenderStore
    pubsub: PubSub
    backend: RenderBackend | None
    hub: ProgressHub
    renders: RenderService
    batches: BatchService
    worker: Worker | None
    outbox: Outbox | None
    deliverer: "WebhookDeliverer | None"
    refresher: CatalogRefresher | None
    retention: RetentionLoop | None
    tracing: "Tracing | None"
    data_folder: Path | None = None

    @property
    def loops(self) -> Mapping[str, BackgroundLoop]:
        """The background loops of this process by name. Each must be running."""
        loops = {
            "hub": self.hub,
            "worker": self.worker,
            "webhook deliverer": self.deliverer,
            "catalog refresher": self.refresher,
            "retention": self.retention,
        }
        return {name: loop for name, loop in loops.items() if loop is not None}

    @property
    def file_storage(self) -> FolderStorage | None:
        """The output folder that this process must serve; None if clients download them elsewhere."""
        return _file_storage(self.backend)

    @property
    def fonts(self) -> "FontLibrary | None":
        """The fonts of the text renderer; None if Remotion draws texts."""
        return fonts_of(self.backend)


def compose(  # noqa: PLR0913  # each part of the process, once
    settings: Settings,
    *,
    clock: Clock,
    store: RenderStore,
    pubsub: PubSub,
    backend: RenderBackend | None,
    with_worker: bool,
    outbox: Outbox | None = None,
    catalogs: CatalogStore | None = None,
    endpoint: "WebhookEndpoint | None" = None,
    tracing: "Tracing | None" = None,
    expiring: Sequence[RetentionTarget] = (),
) -> Services:
    """Return the services that use these open adapters. Without `catalogs`, no composition is known."""
    metrics = Metrics()
    store, pubsub = timed(store, metrics.store), timed(pubsub, metrics.pubsub)
    check_interval = timedelta(seconds=settings.worker.check_interval_s)
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
        limits=_request_limits(settings.renders),
        download_expiry=settings.renders.download_expiry,
        catalog=CatalogReader(catalogs, site=backend.site, clock=clock) if backend and catalogs else None,
        tokens=_render_tokens(settings.auth),
    )
    worker, deliverer, refresher, retention = None, None, None, None
    if with_worker and backend:
        worker = Worker(
            worker_id=f"{os.getpid()}-{secrets.token_hex(6)}",
            store=store,
            backend=tracing.backend(backend) if tracing else backend,
            hub=hub,
            pubsub=pubsub,
            clock=clock,
            metrics=metrics,
            options=_worker_options(settings.worker, renders.limits.media),
            span_of=tracing.attempt if tracing else no_span,
        )
    if worker:
        _report_changes(backend, worker)
    if worker and backend and catalogs:
        changed = backend.site_changed if isinstance(backend, WatchesSite) else None
        refresher = CatalogRefresher(catalogs, backend, clock=clock, metrics=metrics, changed=changed)
    if worker and outbox and endpoint:
        deliverer = _deliverer(settings.worker, worker.id, outbox, endpoint, renders, tracing)
    if worker and settings.storage.retention:
        retention = _retention_loop(settings.storage.retention, backend, expiring, clock)
    services = Services(
        settings=settings,
        clock=clock,
        metrics=metrics,
        store=store,
        pubsub=pubsub,
        backend=backend,
        hub=hub,
        renders=renders,
        batches=BatchService(renders=renders),
        worker=worker,
        outbox=outbox,
        deliverer=deliverer,
        refresher=refresher,
        retention=retention,
        tracing=tracing,
    )
    _register_loops(services)
    return services


def _report_changes(backend: object, worker: Worker) -> None:
    if isinstance(backend, ReportsChanges):
        backend.on_change = worker.poll_now


def _render_tokens(settings: AuthSettings) -> RenderTokens | None:
    secrets = [each.get_secret_value() for each in split_secrets(settings.render_token_secret)]
    return RenderTokens(*secrets) if secrets else None


def _deliverer(
    settings: WorkerSettings,
    worker_id: str,
    outbox: Outbox,
    endpoint: "WebhookEndpoint",
    renders: RenderService,
    tracing: "Tracing | None",
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
            lease=timedelta(seconds=settings.lease_s + endpoint.config.timeout_s),
            poll_interval=timedelta(seconds=settings.acquire_interval_s),
            secrets=endpoint.config.secrets,
        ),
        span_of=tracing.webhook if tracing else no_span,
    )


def _file_storage(backend: object) -> FolderStorage | None:
    storage = backend.storage if isinstance(backend, StoringBackend) else None
    return storage if isinstance(storage, FolderStorage) else None


def _retention_loop(
    retention: timedelta, backend: object, expiring: Sequence[RetentionTarget], clock: Clock
) -> RetentionLoop | None:
    """Return the loop that deletes from stores without an expiry of their own; None if there are none."""
    files = _file_storage(backend)
    targets = expiring if files is None else (*expiring, files)
    return RetentionLoop(targets, retention=retention, clock=clock) if targets else None


def _request_limits(settings: RenderSettings) -> RequestLimits:
    return RequestLimits(
        animation=AnimationLimits(
            max_duration_s=settings.max_duration_s, fps=FPS, max_text_length=settings.max_text_length
        ),
        media=MediaLimits(max_duration_s=settings.max_duration_s, max_pixels=settings.pixel_limit),
        max_props_bytes=settings.max_props_bytes,
    )


def _worker_options(settings: WorkerSettings, media: MediaLimits) -> WorkerOptions:
    return WorkerOptions(
        lease=timedelta(seconds=settings.lease_s),
        poll_interval=timedelta(seconds=settings.acquire_interval_s),
        limits=RunLimits(
            queue_timeout=timedelta(seconds=settings.queue_timeout_s), max_attempts=settings.max_attempts, media=media
        ),
    )


def _register_loops(services: Services) -> None:
    """Register the background loops and the store with the metrics, which read their state at each scrape."""
    services.metrics.register_skipped_documents(lambda: services.store.skipped_documents)
    composed_s = services.clock.monotonic()
    for name, loop in services.loops.items():
        last_tick = partial(_last_tick, loop, services.clock, composed_s)
        services.metrics.register_loop(LOOP_LABELS.get(name, name), last_tick)
    if (worker := services.worker) and services.backend:
        services.metrics.register_worker(lambda: worker.running, capacity=services.backend.capacity)


def _last_tick(loop: BackgroundLoop, clock: Clock, composed_s: float) -> datetime:
    """Return when the loop last completed an iteration; before the first, when it was composed."""
    tick_s = composed_s if loop.last_tick_s is None else loop.last_tick_s
    return clock.now() - timedelta(seconds=clock.monotonic() - tick_s)
