"""Opens what the commands `rendercast migrate` and `rendercast forget` need."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from services.clock import SystemClock
from services.errors import StartupError
from services.ports import RenderBackend
from services.renders.erasure import Eraser
from services.runtime.adapters import open_backend
from services.runtime.data_folder import STORE_FILE, lock_folder
from services.settings import Settings


async def migrate_store(settings: Settings, report: Callable[[str], None]) -> None:
    """Prepare the MongoDB for this version; `report` is called with each step. Raises `StartupError`."""
    from services.stores.mongo_migration import migrate_mongo

    url = settings.storage.mongodb_url
    if url is None:
        raise StartupError("MONGODB_URL is not set. `rendercast dev` needs no migrate: it prepares its file itself.")
    await migrate_mongo(url.get_secret_value(), retention=settings.storage.retention, report=report)


@asynccontextmanager
async def open_eraser(settings: Settings) -> AsyncIterator[Eraser]:
    """Open the store and the renderer whose files are to be erased: those of MONGODB_URL if that is set, else of `dev`.

    Raises `StartupError`, also if `rendercast dev` is running.
    """
    if settings.storage.mongodb_url is None:
        async with _open_embedded_eraser(settings) as eraser:
            yield eraser
        return
    from motor.motor_asyncio import AsyncIOMotorClient

    from services.stores.mongo import open_mongo_store

    clock, url = SystemClock(), settings.storage.mongodb_url.get_secret_value()
    async with (
        open_mongo_store(AsyncIOMotorClient, url, retention=settings.storage.retention) as store,
        open_backend(settings, clock, default="lambda", shared=True, with_worker=False) as backend,
    ):
        yield Eraser(store=store, backend=_required(backend), clock=clock, stops_attempts=False)


@asynccontextmanager
async def _open_embedded_eraser(settings: Settings) -> AsyncIterator[Eraser]:
    from services.stores.sqlite import open_sqlite_store

    path, clock = settings.storage.data_dir / STORE_FILE, SystemClock()
    if not path.exists():
        raise StartupError(f"MONGODB_URL is not set, and there is no data file {path}.")
    with lock_folder(settings.storage.data_dir):
        async with (
            open_backend(settings, clock, default="text", shared=False, with_worker=False) as backend,
            open_sqlite_store(path, clock) as store,
        ):
            yield Eraser(store=store, backend=_required(backend), clock=clock, stops_attempts=True)


def _required(backend: RenderBackend | None) -> RenderBackend:
    if backend is None:
        raise StartupError("The renderer can't be used, so its stored files can't be erased: see `rendercast doctor`.")
    return backend
