"""Opens the adapters of a process. They are constructed only here, and imported only if they are used."""

import logging
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import SecretStr

from services.clock import SystemClock
from services.errors import StartupError
from services.observability.otlp import exports_traces
from services.ports import Clock, RenderBackend
from services.realtime.pubsub import open_pubsub
from services.runtime.data_folder import STORE_FILE, lock_folder, with_own_secret
from services.runtime.fonts import read_fonts
from services.runtime.motor_client import motor_client
from services.runtime.output_storage import open_storage
from services.runtime.services import Services, compose
from services.settings import Settings, StorageSettings, variable
from services.storage.ports import OutputStorage
from services.webhooks.configuration import EndpointConfig, read_endpoint_config
from services.webhooks.messages import ID_PREFIX, DeliveryResult
from services.webhooks.ports import Outbox

if TYPE_CHECKING:
    from services.observability.tracing import Tracing
    from services.stores.mongo_connection import Client
    from services.webhooks.endpoint import WebhookEndpoint

log = logging.getLogger(__name__)


@asynccontextmanager
async def open_embedded(settings: Settings) -> AsyncIterator[Services]:
    """Open the services of a single process, with SQLite, in-memory pub/sub and, by default, the text renderer.

    The caller must run `Services.loops`. Raises `StartupError` if the data folder is not writable, or in use.
    """
    from services.stores.sqlite import open_sqlite_store

    if settings.graphql.introspection is None:
        settings = settings.replace(introspection=True)
    if settings.pages.studio is None:
        settings = settings.replace(studio=True)
    clock = SystemClock()
    config = read_endpoint_config(settings.webhooks)
    _check_backend(settings, default="text", with_worker=True)
    with lock_folder(settings.storage.data_dir):
        settings = with_own_secret(settings)
        async with (
            _open_tracing() as tracing,
            open_sqlite_store(
                settings.storage.data_dir / STORE_FILE, clock, webhooks_enabled=config is not None
            ) as store,
            open_pubsub("memory://") as pubsub,
            open_backend(settings, clock, default="text", shared=False, with_worker=True) as backend,
            _open_endpoint(config) as endpoint,
        ):
            services = compose(
                settings,
                clock=clock,
                store=tracing.store(store, system="sqlite") if tracing else store,
                pubsub=tracing.pubsub(pubsub, system="memory") if tracing else pubsub,
                backend=backend,
                with_worker=True,
                outbox=store.outbox,
                catalogs=store.catalog,
                endpoint=endpoint,
                tracing=tracing,
                expiring=(store,),
            )
            yield replace(services, data_folder=settings.storage.data_dir)


@asynccontextmanager
async def open_production(settings: Settings, *, with_worker: bool) -> AsyncIterator[Services]:
    """Open the services of one of several processes that share MongoDB and Redis.

    The caller must run `Services.loops`. Raises `StartupError` if MongoDB or Redis is not configured or unavailable,
    and with a worker also if the renderer is.
    """
    from services.stores.mongo import open_mongo_store

    mongodb_url = _required(settings.storage, "mongodb_url")
    redis_url = _required(settings.storage, "redis_url")
    if redis_url.startswith("memory:"):
        raise StartupError(
            "REDIS_URL starts with memory:, but several processes can't share memory. Set it to the URL of a Redis "
            "server, or use `rendercast dev`, which is a single process."
        )
    clock = SystemClock()
    config = read_endpoint_config(settings.webhooks)
    _check_backend(settings, default="lambda", with_worker=with_worker)
    async with (
        _open_tracing() as tracing,
        open_mongo_store(
            motor_client(), mongodb_url, retention=settings.storage.retention, webhooks_enabled=config is not None
        ) as store,
        open_pubsub(redis_url) as pubsub,
        open_backend(settings, clock, default="lambda", shared=True, with_worker=with_worker) as backend,
        _open_endpoint(config) as endpoint,
    ):
        yield compose(
            settings,
            clock=clock,
            store=tracing.store(store, system="mongodb") if tracing else store,
            pubsub=tracing.pubsub(pubsub, system="redis") if tracing else pubsub,
            backend=backend,
            with_worker=with_worker,
            outbox=store.outbox,
            catalogs=store.catalog,
            endpoint=endpoint,
            tracing=tracing,
        )


@asynccontextmanager
async def _open_endpoint(config: EndpointConfig | None) -> AsyncIterator["WebhookEndpoint | None"]:
    """Open the HTTP client of the webhook endpoint; yield None if webhooks are not configured."""
    if config is None:
        yield None
        return
    from services.webhooks.endpoint import open_endpoint

    async with open_endpoint(config) as endpoint:
        yield endpoint


@asynccontextmanager
async def _open_tracing() -> AsyncIterator["Tracing | None"]:
    """Open the export of traces; yield None if no collector is configured. The SDK is imported only if one is."""
    if not exports_traces(os.environ):
        yield None
        return
    try:
        from services.observability.export import open_tracing
    except ModuleNotFoundError as error:
        raise StartupError(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, but OpenTelemetry's SDK is not installed. Install the packages of "
            "requirements/extras.lock, or unset the variable."
        ) from error
    async with open_tracing() as tracing:
        yield tracing


@asynccontextmanager
async def open_backend(
    settings: Settings, clock: Clock, *, default: str, shared: bool, with_worker: bool
) -> AsyncIterator[RenderBackend | None]:
    """Open the renderer. Without a worker, a renderer that can't be used is logged, and None is yielded."""
    if (settings.renderer.renderer or default) == "text":
        async with _open_text_backend(settings, clock, shared=shared, with_worker=with_worker) as text_backend:
            yield text_backend
        return
    if settings.renderer.renderer == "node":
        async with _open_node_backend(settings, clock, shared=shared, with_worker=with_worker) as node_backend:
            yield node_backend
        return
    from services.backends.remotion_lambda.backend import open_lambda_backend
    from services.backends.remotion_lambda.deployment import read_deployment

    async with AsyncExitStack() as stack:
        try:
            deployment = read_deployment(
                settings.remotion,
                settings.outputs,
                public_url=settings.server.public_url,
                capacity=settings.worker.worker_capacity,
            )
            backend = await stack.enter_async_context(open_lambda_backend(deployment, clock=clock, check=with_worker))
        except StartupError as error:
            if with_worker:
                raise
            log.error("%s", error)  # noqa: TRY400  # the message is for operators and complete
            yield None
        else:
            yield backend


def _check_backend(settings: Settings, *, default: str, with_worker: bool) -> None:
    """Raise `StartupError` for wrong settings of the renderer before anything is opened."""
    renderer = settings.renderer.renderer or default
    if renderer == "lambda":
        from services.backends.remotion_lambda.deployment import check_settings

        check_settings(settings.remotion, settings.outputs, with_worker=with_worker)
    elif renderer == "node" and with_worker:
        from services.backends.remotion_node.deployment import find_remotion

        find_remotion(settings)


@asynccontextmanager
async def _open_text_backend(
    settings: Settings, clock: Clock, *, shared: bool, with_worker: bool
) -> AsyncIterator[RenderBackend]:
    from services.backends.text.backend import open_text_backend
    from services.backends.text.renderers import Renderers

    fonts = read_fonts(settings)
    # `dev` is idle most of the time: its spare process ends after a minute without a render.
    renderers = Renderers(keeps_spare=shared and with_worker)
    async with (
        open_storage(settings, clock, shared=shared, with_worker=with_worker) as storage,
        open_text_backend(
            storage,
            width=settings.renderer.text_width,
            height=settings.renderer.text_height,
            capacity=settings.worker.worker_capacity,
            clock=clock,
            fonts=fonts,
            renderers=renderers,
        ) as backend,
    ):
        if with_worker:
            renderers.prepare_spare()  # for the first render
        yield backend


@asynccontextmanager
async def _open_node_backend(
    settings: Settings, clock: Clock, *, shared: bool, with_worker: bool
) -> AsyncIterator[RenderBackend]:
    """Open Remotion's renderer on this machine; without a worker, only what it has stored. Raises `StartupError`."""
    async with open_storage(settings, clock, shared=shared, with_worker=with_worker) as storage:
        if not with_worker:
            yield _serving_backend(settings, storage)
            return
        from services.backends.remotion_node.backend import open_node_backend
        from services.backends.remotion_node.deployment import open_deployment

        async with (
            open_deployment(settings, clock, watches=not shared) as deployment,
            open_node_backend(deployment, storage, clock=clock) as backend,
        ):
            await backend.warm_up()
            yield backend


def _serving_backend(settings: Settings, storage: OutputStorage) -> RenderBackend:
    from services.backends.remotion_node.deployment import site_name
    from services.backends.remotion_node.serving import ServingBackend

    return ServingBackend(storage, site=site_name(settings), composition=settings.remotion.remotion_composition)


@asynccontextmanager
async def open_outbox(settings: Settings) -> AsyncIterator[Outbox]:
    """Open the webhook outbox while other processes may use it: in MongoDB if configured, else in the data folder.

    Raises `StartupError` if it can't be opened.
    """
    if settings.storage.mongodb_url is None:
        from services.stores.sqlite_outbox import open_sqlite_outbox

        async with open_sqlite_outbox(settings.storage.data_dir / STORE_FILE, SystemClock()) as embedded:
            yield embedded
        return
    from services.stores.mongo_outbox import open_mongo_outbox

    async with open_mongo_outbox(motor_client(), settings.storage.mongodb_url.get_secret_value()) as outbox:
        yield outbox


async def send_test_webhook(settings: Settings) -> DeliveryResult:
    """Send a test message, once. Raises `StartupError` if webhooks are not configured."""
    from services.webhooks.deliverer import send
    from services.webhooks.endpoint import open_endpoint
    from services.webhooks.payloads import encode_event

    config = read_endpoint_config(settings.webhooks)
    if config is None:
        raise StartupError("RENDERCAST_WEBHOOK_URL is not set: there is no receiver.")
    clock = SystemClock()
    body = encode_event("webhook.test", clock.now(), {})
    async with open_endpoint(config) as endpoint:
        message_id = ID_PREFIX + "test_" + secrets.token_hex(8)
        return await send(message_id, body, secrets=config.secrets, endpoint=endpoint, clock=clock)


def new_mongo_client(url: str) -> "Client":
    """Return an unconnected client of the driver that the store uses. Raises `StartupError` if the URL is not valid."""
    from services.stores.mongo_connection import new_client

    return new_client(motor_client(), url)


def _required(settings: StorageSettings, name: str) -> str:
    value: SecretStr | None = getattr(settings, name)
    if value is None:
        raise StartupError(f"{variable(name)} is not set, but this command requires it. `rendercast dev` does not.")
    return value.get_secret_value()
