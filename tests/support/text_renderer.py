"""The text renderer with its outputs in a folder."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from services.backends.text.backend import TextBackend, open_text_backend
from services.backends.text.renderers import Renderers
from services.clock import SystemClock
from services.ports import Clock
from services.storage.folder_storage import open_folder_storage

NO_SPARE_S = 3600.0  # a delay after which no spare renderer process is started during a test


@asynccontextmanager
async def text_renderer(
    data_dir: Path,
    *,
    width: int = 320,
    height: int = 180,
    base_url: str = "http://127.0.0.1:1",
    clock: Clock | None = None,
    shared: bool = False,
) -> AsyncIterator[TextBackend]:
    """Open the backend on a data folder. It starts no spare process, since that depends on the time."""
    clock = clock or SystemClock()
    renderers = Renderers(spare_delay_s=NO_SPARE_S)
    storage = open_folder_storage(data_dir, base_url=base_url, clock=clock, shared=shared)
    async with open_text_backend(storage, width=width, height=height, clock=clock, renderers=renderers) as backend:
        yield backend
