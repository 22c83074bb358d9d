"""The only place that makes adapters. An adapter is loaded where it is opened."""

import logging
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from pydantic import SecretStr

from services.clock import SystemClock
from services.errors import StartupError
from services.observability.otlp import exports_traces
from services.ports import Clock, RenderBackend
from services.realtime.pubsub import open_pubsub
from services.runtime.data_folder import STORE_FILE, hold_folder, make_folder
from services.runtime.services import Services, compose
from services.settings import Settings, variable
from services.webhooks.configuration import EndpointConfig, read_endpoint_config
from services.webhooks.messages import ID_PREFIX, DeliveryResult
from services.webhooks.ports import Outbox

if TYPE_CHECKING:
    from services.backends.text.backend import TextBackend
    from services.observability.tracing import Tracing
    from services.stores.mongo_connection import Client
    from services.webhooks.endpoint import WebhookEndpoint

log = logging.getLogger(__name__)


@asynccontextmanager
async def open_embedded(settings: Settings) -> AsyncIterator[Services]:
    """Open the services of one process that needs nothing else: SQLite, pub/sub in memory, renders on this machine.

    Nothing runs in the background yet: `hub.run` and `worker.run` are for the caller to run. Raises
    `StartupError` if the data folder can't be used, or is in use.
    """
    from services.stores.sqlite import open_sqlite_store

    if settings.graphql.introspection is None:
        settings = settings.replace(introspection=True)
    if settings.pages.studio is None:
        settings = settings.replace(studio=True)
    clock = SystemClock()
    config = read_endpoint_config(settings.webhooks)
    with hold_folder(settings.storage.data_dir):
        async with (
            _open_tracing() as tracing,
            open_sqlite_store(
                settings.storage.data_dir / STORE_FILE, clock, webhooks_enabled=config is not None
            ) as store,
            open_pubsub("memory://") as pubsub,
            _open_backend(settings, clock, usual="text", shared=False, with_worker=True) as backend,
            _open_endpoint(config) as endpoint,
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
    config = read_endpoint_config(settings.webhooks)
    async with (
        _open_tracing() as tracing,
        open_mongo_store(
            AsyncIOMotorClient, mongodb_url, retention=settings.storage.retention, webhooks_enabled=config is not None
        ) as store,
        open_pubsub(redis_url) as pubsub,
        _open_backend(settings, clock, usual="lambda", shared=True, with_worker=with_worker) as backend,
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
            endpoint=endpoint,
            tracing=tracing,
        )


@asynccontextmanager
async def _open_endpoint(config: EndpointConfig | None) -> AsyncIterator["WebhookEndpoint | None"]:
    """Open the receiver of webhooks; None if there is none."""
    if config is None:
        yield None
        return
    from services.webhooks.endpoint import open_endpoint

    async with open_endpoint(config) as endpoint:
        yield endpoint


@asynccontextmanager
async def _open_tracing() -> AsyncIterator["Tracing | None"]:
    """Open what traces; None if no collector is named, and then nothing of it is loaded."""
    if not exports_traces(os.environ):
        yield None
        return
    try:
        from services.observability.export import open_tracing
    except ModuleNotFoundError as error:
        raise StartupError(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, but OpenTelemetry is not installed here. Install what "
            "requirements/tracing.lock names, or leave the variable out."
        ) from error
    async with open_tracing() as tracing:
        yield tracing


@asynccontextmanager
async def _open_backend(
    settings: Settings, clock: Clock, *, usual: str, shared: bool, with_worker: bool
) -> AsyncIterator[RenderBackend | None]:
    """Open what renders; None if that is not set, which only a process without a worker can do with."""
    if (settings.renderer.renderer or usual) == "text":
        async with _open_local(settings, clock, shared=shared) as local:
            yield local
        return
    from services.backends.remotion_lambda.backend import open_lambda_backend
    from services.backends.remotion_lambda.deployment import read_deployment

    async with AsyncExitStack() as opened:
        try:
            backend = await opened.enter_async_context(
                open_lambda_backend(read_deployment(settings), clock=clock, check=with_worker)
            )
        except StartupError as error:
            if with_worker:
                raise
            log.error("%s", error)  # noqa: TRY400  # the sentence is enough
            yield None
        else:
            yield backend


def _open_local(settings: Settings, clock: Clock, *, shared: bool) -> "AbstractAsyncContextManager[TextBackend]":
    from services.backends.text.backend import open_text_backend

    make_folder(settings.storage.data_dir)
    return open_text_backend(
        data_dir=settings.storage.data_dir,
        width=settings.renderer.text_width,
        height=settings.renderer.text_height,
        base_url=settings.server.base_url,
        capacity=settings.worker.worker_capacity,
        clock=clock,
        shared=shared,
    )


@asynccontextmanager
async def open_outbox(settings: Settings) -> AsyncIterator[Outbox]:
    """Open the webhook messages of the store that the settings name, beside the processes that use it.

    That is MongoDB if it is set, else the file of `rendercast dev`. Raises `StartupError` if it can't be used.
    """
    if settings.storage.mongodb_url is None:
        from services.stores.sqlite_outbox import open_sqlite_outbox

        async with open_sqlite_outbox(settings.storage.data_dir / STORE_FILE, SystemClock()) as embedded:
            yield embedded
        return
    from motor.motor_asyncio import AsyncIOMotorClient

    from services.stores.mongo_outbox import open_mongo_outbox

    async with open_mongo_outbox(AsyncIOMotorClient, settings.storage.mongodb_url.get_secret_value()) as outbox:
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
    """Return a client that is not connected yet, of the driver that the store uses. Raises `StartupError`."""
    from motor.motor_asyncio import AsyncIOMotorClient

    from services.stores.mongo_connection import new_client

    return new_client(AsyncIOMotorClient, url)


def _required(settings: Settings, name: str) -> str:
    value: SecretStr | None = getattr(settings.storage, name)
    if value is None:
        raise StartupError(f"{variable(name)} is not set. `rendercast dev` needs no server; this command does.")
    return value.get_secret_value()
