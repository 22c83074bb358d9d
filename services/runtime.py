"""The only place that makes adapters and puts the services together."""

import fcntl
import os
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from motor.motor_asyncio import AsyncIOMotorClient
from pydantic import SecretStr

from services.animation import FPS, AnimationLimits
from services.backends.local.backend import LocalBackend, open_local_backend
from services.carrier import CarryRules
from services.clock import SystemClock
from services.errors import StartupError
from services.hub import ProgressHub
from services.ports import Clock, RenderBackend, RenderStore
from services.pubsub import PubSub, open_pubsub
from services.quota import QuotaRule
from services.renders import RenderService
from services.settings import Settings, variable
from services.stores.mongo import open_mongo_store
from services.stores.sqlite import open_sqlite_store
from services.tracker import Tracker, WorkerRules


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """All that a process runs on."""

    settings: Settings
    clock: Clock
    store: RenderStore
    pubsub: PubSub
    backend: RenderBackend
    hub: ProgressHub
    renders: RenderService
    tracker: Tracker

    @property
    def local(self) -> LocalBackend | None:
        """The backend, if it keeps videos on this machine, from where they must be served."""
        return self.backend if isinstance(self.backend, LocalBackend) else None


@asynccontextmanager
async def open_embedded(settings: Settings) -> AsyncIterator[Services]:
    """Open the services of one process that needs nothing else: SQLite, pub/sub in memory, renders on this machine.

    Nothing runs in the background yet: `hub.run` and `tracker.run` are for the caller to run. Raises
    `StartupError` if the data folder can't be used, or is in use.
    """
    clock = SystemClock()
    with _hold_folder(settings.data_dir):
        async with (
            open_sqlite_store(settings.data_dir / "rendercast.sqlite3", clock) as store,
            open_pubsub("memory://") as pubsub,
            _open_backend(settings, clock, shared=False) as backend,
        ):
            yield compose(settings, clock=clock, store=store, pubsub=pubsub, backend=backend)


@asynccontextmanager
async def open_production(settings: Settings) -> AsyncIterator[Services]:
    """Open the services of one process of many, which share MongoDB, Redis and the folder of videos.

    Nothing runs in the background yet. Raises `StartupError` if one of them is not set or can't be reached.
    """
    mongodb_url = _required(settings, "mongodb_url")
    redis_url = _required(settings, "redis_url")
    if redis_url.startswith("memory:"):
        raise StartupError(
            "REDIS_URL names no Redis: several processes can't share memory. Use `rendercast dev` for one."
        )
    clock = SystemClock()
    _make_folder(settings.data_dir)
    async with (
        open_mongo_store(AsyncIOMotorClient, mongodb_url, retention=settings.retention) as store,
        open_pubsub(redis_url) as pubsub,
        _open_backend(settings, clock, shared=True) as backend,
    ):
        yield compose(settings, clock=clock, store=store, pubsub=pubsub, backend=backend)


def compose(
    settings: Settings, *, clock: Clock, store: RenderStore, pubsub: PubSub, backend: RenderBackend
) -> Services:
    """Put the services together on adapters that are open."""
    check_interval = timedelta(seconds=settings.check_interval_s)
    hub = ProgressHub(store=store, pubsub=pubsub, clock=clock, check_interval=check_interval)
    renders = RenderService(
        store=store,
        backend=backend,
        hub=hub,
        clock=clock,
        quota_rule=QuotaRule(limit=settings.quota_limit, window=timedelta(seconds=settings.quota_window_s)),
        limits=AnimationLimits(
            max_duration_s=settings.max_duration_s, fps=FPS, max_text_length=settings.max_text_length
        ),
        download_expiry=settings.download_expiry,
    )
    tracker = Tracker(
        worker=f"{os.getpid()}-{secrets.token_hex(6)}",
        store=store,
        backend=backend,
        hub=hub,
        pubsub=pubsub,
        clock=clock,
        rules=_worker_rules(settings),
    )
    return Services(
        settings=settings,
        clock=clock,
        store=store,
        pubsub=pubsub,
        backend=backend,
        hub=hub,
        renders=renders,
        tracker=tracker,
    )


def _worker_rules(settings: Settings) -> WorkerRules:
    return WorkerRules(
        lease=timedelta(seconds=settings.lease_s),
        look_interval=timedelta(seconds=settings.look_interval_s),
        carry=CarryRules(queue_timeout=timedelta(seconds=settings.queue_timeout_s), max_attempts=settings.max_attempts),
    )


def _open_backend(settings: Settings, clock: Clock, *, shared: bool) -> AbstractAsyncContextManager[LocalBackend]:
    return open_local_backend(
        data_dir=settings.data_dir,
        width=settings.local_width,
        height=settings.local_height,
        base_url=settings.base_url,
        clock=clock,
        shared=shared,
    )


def _required(settings: Settings, name: str) -> str:
    value: SecretStr | None = getattr(settings, name)
    if value is None:
        raise StartupError(f"{variable(name)} is not set. `rendercast dev` needs no server; this command does.")
    return value.get_secret_value()


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error


@contextmanager
def _hold_folder(folder: Path) -> Iterator[None]:
    """Make the folder and keep every other process out of it. The kernel lets go when this process ends, however."""
    _make_folder(folder)
    try:
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StartupError(
                f"The data folder {folder} is in use by another Rendercast. Stop that one, "
                "or set RENDERCAST_DATA_DIR to another folder."
            ) from error
        yield
    finally:
        os.close(descriptor)


def _unwritable(folder: Path, error: OSError) -> StartupError:
    return StartupError(
        f"The data folder {folder} can't be written: {error.strerror}. "
        "Mend that, or set RENDERCAST_DATA_DIR to another folder."
    )
