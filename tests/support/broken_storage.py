"""An output storage with a bug, as one more implementation of its port."""

from pathlib import Path

from services.models import Output, Render
from services.ports import Clock
from services.storage.folder_storage import FolderStorage, open_folder_storage


class BrokenStorage(FolderStorage):
    """A folder that raises an error of no expected kind whenever an output is to be stored."""

    async def store(self, render: Render, *, output: Path, poster: Path | None) -> Output:  # noqa: ARG002
        """Raise `KeyError`."""
        raise KeyError("a bug")


def broken_storage(data_dir: Path, *, clock: Clock) -> BrokenStorage:
    """Open the storage in a data folder."""
    opened = open_folder_storage(data_dir, base_url="http://127.0.0.1:1", clock=clock, shared=False)
    return BrokenStorage(folder=opened.folder, signer=opened.signer, base_url=opened.base_url, clock=clock)
