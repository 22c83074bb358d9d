"""The only place that makes adapters and puts the services together. An adapter is loaded where it is opened."""

import logging
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from pydantic import SecretStr

from services.animation import FPS, AnimationLimits
from services.carrier import CarryRules
from services.clock import SystemClock
from services.collector import names_collector
from services.data_folder import STORE_FILE, hold_folder, make_folder
from services.errors import StartupError
from services.hub import ProgressHub
from services.metrics import Metrics
from services.ports import Clock, Outbox, RenderBackend, RenderStore
from services.pubsub import PubSub, open_pubsub
from services.quota import QuotaRule
from services.renders import RenderService
from services.settings import Settings, variable
from services.spans import SpanOf, no_span
from services.timed import timed
from services.tracker import Tracker, WorkerRules
from services.webhooks.configuration import EndpointRules, read_endpoint
from services.webhooks.messages import PREFIX, Outcome

if TYPE_CHECKING:
    from services.backends.local.backend import LocalBackend
    from services.stores.mongo_connection import Client
    from services.tracing import Tracing
    from services.webhooks.deliverer import Deliverer
    from services.webhooks.endpoint import WebhookEndpoint

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """All that a process runs on.

    `backend` is None if nothing can be rendered, `tracker` if this is no worker, `outbox` if the store has none,
    `deliverer` if this is no worker or nobody is told by webhooks, and `tracing` if there is no collector of traces.
    """

    settings: Settings
    clock: Clock
    metrics: Metrics
    store: RenderStore
    pubsub: PubSub
    backend: RenderBackend | None
    hub: ProgressHub
    renders: RenderService
    tracker: Tracker | None
    outbox: Outbox | None
    deliverer: "Deliverer | None"
    tracing: "Tracing | None"

    @property
    def local(self) -> "LocalBackend | None":
        """The backend, if it keeps videos on this machine, from where they must be served."""
        from services.backends.local.backend import LocalBackend

        return self.backend if isinstance(self.backend, LocalBackend) else None


@asynccontextmanager
async def open_embedded(settings: Settings) -> AsyncIterator[Services]:
    """Open the services of one process that needs nothing else: SQLite, pub/sub in memory, renders on this machine.

    Nothing runs in the background yet: `hub.run` and `tracker.run` are for the caller to run. Raises
    `StartupError` if the data folder can't be used, or is in use.
    """
    from services.stores.sqlite import open_sqlite_store

    unset = [name for name in ("introspection", "studio") if getattr(settings, name) is None]
    settings = settings.model_copy(update=dict.fromkeys(unset, True))
    clock = SystemClock()
    rules = read_endpoint(settings)
    with hold_folder(settings.data_dir):
        async with (
            _open_tracing() as tracing,
            open_sqlite_store(settings.data_dir / STORE_FILE, clock, announces_ends=rules is not None) as store,
            open_pubsub("memory://") as pubsub,
            _open_backend(settings, clock, usual="local", shared=False, with_worker=True) as backend,
            _open_endpoint(rules) as endpoint,
        ):
            yield compose(
                settings,
                clock=clock,
                store=tracing.store(store, system="sqlite") if tracing else store,
                pubsub=tracing.pubsub(pubsub, system="memory") if tracing else pubsub,
                backend=backend,
                with_worker=True,
                outbox=store.outbox,
                endpoint=endpoint,
                tracing=tracing,
            )


@asynccontextmanager
async def open_production(settings: Settings, *, with_worker: bool) -> AsyncIterator[Services]:
    """Open the services of one process of many, which share MongoDB and Redis.

    Nothing runs in the background yet. Raises `StartupError` if one of them is not set or can't be reached, and with
    a worker also if nothing can be rendered.
    """
    from motor.motor_asyncio import AsyncIOMotorClient

    from services.stores.mongo import open_mongo_store

    mongodb_url = _required(settings, "mongodb_url")
    redis_url = _required(settings, "redis_url")
    if redis_url.startswith("memory:"):
        raise StartupError(
            "REDIS_URL names no Redis: several processes can't share memory. Use `rendercast dev` for one."
        )
    clock = SystemClock()
    rules = read_endpoint(settings)
    async with (
        _open_tracing() as tracing,
        open_mongo_store(
            AsyncIOMotorClient, mongodb_url, retention=settings.retention, announces_ends=rules is not None
        ) as store,
        open_pubsub(redis_url) as pubsub,
        _open_backend(settings, clock, usual="lambda", shared=True, with_worker=with_worker) as backend,
        _open_endpoint(rules) as endpoint,
    ):
        yield compose(
            settings,
            clock=clock,
            store=tracing.store(store, system="mongodb") if tracing else store,
            pubsub=tracing.pubsub(pubsub, system="redis") if tracing else pubsub,
            backend=backend,
            with_worker=with_worker,
            outbox=store.outbox,
            endpoint=endpoint,
            tracing=tracing,
        )


@asynccontextmanager
async def _open_endpoint(rules: EndpointRules | None) -> AsyncIterator["WebhookEndpoint | None"]:
    """Open the receiver of webhooks; None if there is none."""
    if rules is None:
        yield None
        return
    from services.webhooks.endpoint import open_endpoint

    async with open_endpoint(rules) as endpoint:
        yield endpoint


@asynccontextmanager
async def _open_tracing() -> AsyncIterator["Tracing | None"]:
    """Open what traces; None if no collector is named, and then nothing of it is loaded."""
    if not names_collector(os.environ):
        yield None
        return
    try:
        from services.tracing import open_tracing
    except ModuleNotFoundError as error:
        raise StartupError(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, but OpenTelemetry is not installed here. Install what "
            "requirements/tracing.lock names, or leave the variable out."
        ) from error
    async with open_tracing() as tracing:
        yield tracing


def compose(  # noqa: PLR0913  # all that there is, once
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
    """Put the services together on adapters that are open."""
    check_interval = timedelta(seconds=settings.check_interval_s)
    metrics = Metrics()
    store, pubsub = timed(store, metrics.store), timed(pubsub, metrics.pubsub)
    hub = ProgressHub(store=store, pubsub=pubsub, clock=clock, metrics=metrics, check_interval=check_interval)
    renders = RenderService(
        store=store,
        backend=backend,
        hub=hub,
        clock=clock,
        metrics=metrics,
        quota_rule=QuotaRule(limit=settings.quota_limit, window=timedelta(seconds=settings.quota_window_s)),
        limits=AnimationLimits(
            max_duration_s=settings.max_duration_s, fps=FPS, max_text_length=settings.max_text_length
        ),
        download_expiry=settings.download_expiry,
    )
    make_tracker = partial(
        Tracker, store=store, hub=hub, pubsub=pubsub, clock=clock, metrics=metrics, rules=_worker_rules(settings)
    )
    worker = f"{os.getpid()}-{secrets.token_hex(6)}"
    if tracing:
        make_tracker = partial(make_tracker, span_of=tracing.attempt)
    followed = tracing.backend(backend) if tracing and backend else backend
    tracker = make_tracker(worker=worker, backend=followed) if with_worker and followed else None
    opened_at = clock.now()
    deliverer = None
    if tracker and outbox and endpoint:
        span_of = tracing.webhook if tracing else no_span
        deliverer = _deliverer(settings, worker, outbox, endpoint, renders, span_of)
    metrics.follow_loop("hub", lambda: hub.last_tick_at or opened_at)
    if deliverer:
        metrics.follow_loop("webhooks", lambda: deliverer.last_tick_at or opened_at)
    if tracker and backend:
        metrics.follow_loop("worker", lambda: tracker.last_tick_at or opened_at)
        metrics.follow_worker(lambda: tracker.carried, capacity=backend.capacity)
    return Services(
        settings=settings,
        clock=clock,
        metrics=metrics,
        store=store,
        pubsub=pubsub,
        backend=backend,
        hub=hub,
        renders=renders,
        tracker=tracker,
        outbox=outbox,
        deliverer=deliverer,
        tracing=tracing,
    )


def _deliverer(
    settings: Settings,
    worker: str,
    outbox: Outbox,
    endpoint: "WebhookEndpoint",
    renders: RenderService,
    span_of: SpanOf,
) -> "Deliverer":
    from services.webhooks.deliverer import Deliverer, DeliveryRules

    return Deliverer(
        worker=worker,
        outbox=outbox,
        post=endpoint.post,
        sign=renders.sign,
        sign_poster=renders.sign_poster,
        clock=renders.clock,
        metrics=renders.metrics,
        rules=DeliveryRules(
            lease=timedelta(seconds=settings.lease_s + endpoint.rules.timeout_s),
            look_interval=timedelta(seconds=settings.look_interval_s),
            secrets=endpoint.rules.secrets,
        ),
        span_of=span_of,
    )


def _worker_rules(settings: Settings) -> WorkerRules:
    return WorkerRules(
        lease=timedelta(seconds=settings.lease_s),
        look_interval=timedelta(seconds=settings.look_interval_s),
        carry=CarryRules(queue_timeout=timedelta(seconds=settings.queue_timeout_s), max_attempts=settings.max_attempts),
    )


@asynccontextmanager
async def _open_backend(
    settings: Settings, clock: Clock, *, usual: str, shared: bool, with_worker: bool
) -> AsyncIterator[RenderBackend | None]:
    """Open what renders; None if that is not set, which only a process without a worker can do with."""
    if (settings.renderer or usual) == "local":
        async with _open_local(settings, clock, shared=shared) as local:
            yield local
        return
    from services.backends.remotion.backend import open_remotion_backend
    from services.backends.remotion.deployment import read_deployment

    async with AsyncExitStack() as opened:
        try:
            backend = await opened.enter_async_context(
                open_remotion_backend(read_deployment(settings), clock=clock, check=with_worker)
            )
        except StartupError as error:
            if with_worker:
                raise
            log.error("%s", error)  # noqa: TRY400  # the sentence is enough
            yield None
        else:
            yield backend


def _open_local(settings: Settings, clock: Clock, *, shared: bool) -> "AbstractAsyncContextManager[LocalBackend]":
    from services.backends.local.backend import open_local_backend

    make_folder(settings.data_dir)
    return open_local_backend(
        data_dir=settings.data_dir,
        width=settings.local_width,
        height=settings.local_height,
        base_url=settings.base_url,
        capacity=settings.worker_capacity,
        clock=clock,
        shared=shared,
    )


@asynccontextmanager
async def open_outbox(settings: Settings) -> AsyncIterator[Outbox]:
    """Open the webhook messages of the store that the settings name, beside the processes that use it.

    That is MongoDB if it is set, else the file of `rendercast dev`. Raises `StartupError` if it can't be used.
    """
    if settings.mongodb_url is None:
        from services.stores.sqlite_outbox import open_sqlite_outbox

        async with open_sqlite_outbox(settings.data_dir / STORE_FILE, SystemClock()) as embedded:
            yield embedded
        return
    from motor.motor_asyncio import AsyncIOMotorClient

    from services.stores.mongo_outbox import open_mongo_outbox

    async with open_mongo_outbox(AsyncIOMotorClient, settings.mongodb_url.get_secret_value()) as outbox:
        yield outbox


async def send_test_webhook(settings: Settings) -> Outcome:
    """Send a message without meaning, once. Raises `StartupError` if there is nobody to send it to."""
    from services.webhooks.deliverer import send
    from services.webhooks.endpoint import open_endpoint
    from services.webhooks.payloads import encode

    rules = read_endpoint(settings)
    if rules is None:
        raise StartupError("RENDERCAST_WEBHOOK_URL is not set: there is nobody to send it to.")
    clock = SystemClock()
    body = encode("webhook.test", clock.now(), {})
    async with open_endpoint(rules) as endpoint:
        return await send(PREFIX + "test_" + secrets.token_hex(8), body, rules.secrets, endpoint.post, clock)


def new_mongo_client(url: str) -> "Client":
    """Return a client that is not connected yet, of the driver that the store uses. Raises `StartupError`."""
    from motor.motor_asyncio import AsyncIOMotorClient

    from services.stores.mongo_connection import new_client

    return new_client(AsyncIOMotorClient, url)


def _required(settings: Settings, name: str) -> str:
    value: SecretStr | None = getattr(settings, name)
    if value is None:
        raise StartupError(f"{variable(name)} is not set. `rendercast dev` needs no server; this command does.")
    return value.get_secret_value()
