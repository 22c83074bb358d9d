"""Opens the output storage of renderers on this machine: a bucket if one is configured, else the data folder."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.ports import Clock
from services.runtime.data_folder import make_folder
from services.settings import Settings
from services.storage.ports import OutputStorage
from services.storage.s3_access import read_s3_access


@asynccontextmanager
async def open_storage(
    settings: Settings, clock: Clock, *, shared: bool, with_worker: bool
) -> AsyncIterator[OutputStorage]:
    """Open the storage. For a worker, a bucket must be writable. Raises `StartupError`.

    Other processes may use the data folder too if it is `shared`. A bucket needs the folder for a worker only.
    """
    data_dir, access = settings.storage.data_dir, read_s3_access(settings.outputs)
    if access is None or with_worker:
        make_folder(data_dir)
    if access is None:
        from services.storage.folder_storage import open_folder_storage

        yield open_folder_storage(data_dir, base_url=settings.server.base_url, clock=clock, shared=shared)
        return
    from services.storage.s3_storage import open_s3_storage

    async with open_s3_storage(
        access, data_dir=data_dir, clock=clock, shared=shared, with_worker=with_worker
    ) as storage:
        yield storage
