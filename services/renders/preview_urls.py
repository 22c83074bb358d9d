"""Signs the URLs of previews, each once: a page loads an image again if its URL differs, and progress comes more often.

The URLs of a storage of objects also take long to sign, about half a millisecond of CPU time each.
"""

from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Final

from services.models import Download, Render
from services.ports import RenderBackend

EXPIRY: Final = timedelta(minutes=2)
MAX_AGE: Final = timedelta(minutes=1)  # then the same preview gets another URL, so that each is valid for a minute
MAX_URLS: Final = 1000

Key = tuple[str, int]  # the render's id, and the number of its preview


class PreviewUrls:
    """The URLs of the newest previews, up to `MAX_URLS`."""

    def __init__(self) -> None:
        self._urls: OrderedDict[Key, tuple[datetime, Download]] = OrderedDict()

    def sign(self, render: Render, backend: RenderBackend, *, now: datetime) -> Download | None:
        """Return the URL of the render's newest preview, the same one until there is a newer; None if it has none."""
        if render.preview_frame is None:
            return None
        key = render.id, render.preview_frame
        if (known := self._urls.get(key)) and now - known[0] < MAX_AGE:
            return known[1]
        download = backend.sign_preview(render, expires_in=EXPIRY)
        if download is not None:
            self._urls[key] = now, download
            self._urls.move_to_end(key)
        if len(self._urls) > MAX_URLS:
            self._urls.popitem(last=False)
        return download
