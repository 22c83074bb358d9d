"""Opens what the commands `rendercast migrate`, `forget`, `compositions refresh` and `doctor` need."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from services.clock import SystemClock
from services.compositions.ports import CatalogStore
from services.compositions.refresh import refresh_catalog
from services.errors import StartupError, StoreUnavailable
from services.models import Catalog
from services.ports import Clock, RenderBackend, RenderStore
from services.realtime.pubsub import open_pubsub
from services.renders.erasure import Eraser
from services.runtime.adapters import open_backend
from services.runtime.data_folder import STORE_FILE, lock_folder
from services.runtime.motor_client import motor_client
from services.runtime.services import compose
from services.settings import Settings
from services.stored_documents import SkippedDocuments

if TYPE_CHECKING:
    from services.stores.mongo_connection import Client


async def migrate_store(settings: Settings, report: Callable[[str], None]) -> None:
    """Prepare the MongoDB for this version; `report` is called with each step. Raises `StartupError`."""
    from services.stores.mongo_migration import migrate_mongo

    url = settings.storage.mongodb_url
    if url is None:
        raise StartupError("MONGODB_URL is not set. `rendercast dev` needs no migrate: it prepares its file itself.")
    await migrate_mongo(url.get_secret_value(), retention=settings.storage.retention, report=report)


async def refresh_compositions(settings: Settings) -> tuple[Catalog | None, Catalog]:
    """Discover the compositions and store the catalog; return the former catalog and the new one.

    Other processes may use the store. Raises `StartupError`, `BackendUnavailable` or `StoreUnavailable`; the stored
    catalog is then not changed.
    """
    async with open_catalog(settings, with_worker=True) as (catalogs, backend):
        former = await catalogs.get(backend.site)
        catalog = await refresh_catalog(catalogs, backend, SystemClock(), always=True)
    if catalog is None:
        raise StoreUnavailable("the stored list was written by a newer version of Rendercast")
    return former, catalog


@asynccontextmanager
async def open_catalog(settings: Settings, *, with_worker: bool) -> AsyncIterator[tuple[CatalogStore, RenderBackend]]:
    """Open the store of catalogs and the renderer, which other processes may use: of MONGODB_URL if set, else of `dev`.

    `with_worker` as for `open_backend`. Raises `StartupError` if one of them can't be used.
    """
    is_embedded = settings.storage.mongodb_url is None
    clock, default = SystemClock(), "text" if is_embedded else "lambda"
    async with (
        _open_catalog_store(settings, clock) as catalogs,
        open_backend(settings, clock, default=default, shared=True, with_worker=with_worker) as backend,
    ):
        if backend is None:
            raise StartupError("The renderer can't be used with these settings.")
        yield catalogs, backend


@asynccontextmanager
async def _open_catalog_store(settings: Settings, clock: Clock) -> AsyncIterator[CatalogStore]:
    if settings.storage.mongodb_url is None:
        from services.stores.sqlite_catalog import SqliteCatalogStore
        from services.stores.sqlite_connection import open_sqlite_file

        async with open_sqlite_file(settings.storage.data_dir / STORE_FILE, shared=True) as file:
            yield SqliteCatalogStore(file, clock, SkippedDocuments())
        return
    from services.stores.mongo_connection import open_with_client

    url = settings.storage.mongodb_url.get_secret_value()
    async with open_with_client(motor_client(), url, _prepare_catalog_store) as catalogs:
        yield catalogs


async def _prepare_catalog_store(client: "Client") -> CatalogStore:
    from services.stores.mongo_catalog import MongoCatalogStore
    from services.stores.mongo_connection import ServerClock, mongo_operation, operation_timeout_s

    clock = ServerClock(client)
    with mongo_operation(operation_timeout_s(client)):
        await clock.sync()
    return MongoCatalogStore(client, clock, SkippedDocuments())


@asynccontextmanager
async def open_eraser(settings: Settings) -> AsyncIterator[Eraser]:
    """Open the store and the renderer whose files are to be erased: those of MONGODB_URL if that is set, else of `dev`.

    Raises `StartupError`, also if `rendercast dev` is running.
    """
    is_embedded = settings.storage.mongodb_url is None
    redis_url = None if is_embedded else settings.storage.redis_url
    clock, default = SystemClock(), "text" if is_embedded else "lambda"
    async with (
        _open_store(settings, clock) as store,
        open_pubsub(redis_url.get_secret_value() if redis_url else "memory://") as pubsub,
        open_backend(settings, clock, default=default, shared=not is_embedded, with_worker=False) as backend,
    ):
        if backend is None:
            raise StartupError("The renderer can't be used, so its files can't be erased: see `rendercast doctor`.")
        services = compose(settings, clock=clock, store=store, pubsub=pubsub, backend=backend, with_worker=False)
        yield Eraser(renders=services.renders, store=store, backend=backend, clock=clock, stops_attempts=is_embedded)


@asynccontextmanager
async def _open_store(settings: Settings, clock: Clock) -> AsyncIterator[RenderStore]:
    if settings.storage.mongodb_url is not None:
        from services.stores.mongo import open_mongo_store

        async with open_mongo_store(motor_client(), settings.storage.mongodb_url.get_secret_value()) as store:
            yield store
        return
    from services.stores.sqlite import open_sqlite_store

    path = settings.storage.data_dir / STORE_FILE
    if not path.exists():
        raise StartupError(f"MONGODB_URL is not set, and there is no data file {path}.")
    with lock_folder(settings.storage.data_dir):
        async with open_sqlite_store(path, clock) as embedded:
            yield embedded
