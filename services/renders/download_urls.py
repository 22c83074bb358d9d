"""Caches the signed URLs of outputs, posters and previews, so that each stays the same for some minutes.

Otherwise a page that reads a render again loads its video again. Processes sign the same expiry, so for a storage that
signs nothing else, the URLs of all processes are equal. Those of a storage of objects also take long to sign.
"""

from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from typing import Final

from services.models import Download, Output, Render
from services.ports import RenderBackend

MAX_STEP: Final = timedelta(minutes=5)  # the URL changes after this time
STEPS: Final = 12  # or after this part of its lifetime, by which it is at most valid for longer
MAX_LIFETIME: Final = timedelta(days=7)  # of a presigned URL of S3
MAX_URLS: Final = 2000
PREVIEW_EXPIRY: Final = timedelta(minutes=2)
SECOND: Final = timedelta(seconds=1)
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Key = tuple[str | None, ...]


class DownloadUrls:
    """The signed URLs of outputs and previews, up to `MAX_URLS`."""

    def __init__(self) -> None:
        self._urls: OrderedDict[Key, Download] = OrderedDict()

    def sign(
        self, backend: RenderBackend, output: Output, *, expiry: timedelta, now: datetime, name: str | None = None
    ) -> Download | None:
        """Return a URL of the output, valid for at least `expiry` unless its credentials expire before.

        With `name`, browsers save the file under it.
        """
        key = (output.bucket, output.key, name)
        return self._get(key, expiry, now) or self._add(
            key, backend.sign(output, expires_in=_lifetime(expiry, now), file_name=name)
        )

    def sign_poster(
        self, backend: RenderBackend, output: Output, *, expiry: timedelta, now: datetime
    ) -> Download | None:
        """Return a URL of the output's poster, as `sign` does; None if it has no poster."""
        key = (output.bucket, output.poster_key)
        return self._get(key, expiry, now) or self._add(
            key, backend.sign_poster(output, expires_in=_lifetime(expiry, now))
        )

    def sign_preview(self, backend: RenderBackend, render: Render, *, now: datetime) -> Download | None:
        """Return a URL of the render's newest preview, valid for at least `PREVIEW_EXPIRY`; None if it has none."""
        if render.preview_frame is None:
            return None
        key = (render.id, f"preview {render.preview_frame}")
        return self._get(key, PREVIEW_EXPIRY, now) or self._add(
            key, backend.sign_preview(render, expires_in=_lifetime(PREVIEW_EXPIRY, now))
        )

    def _get(self, key: Key, expiry: timedelta, now: datetime) -> Download | None:
        known = self._urls.get(key)
        return known if known is not None and known.expires_at - now >= expiry else None

    def _add(self, key: Key, download: Download | None) -> Download | None:
        if download is not None:
            self._urls[key] = download
            self._urls.move_to_end(key)
        if len(self._urls) > MAX_URLS:
            self._urls.popitem(last=False)
        return download


def _lifetime(expiry: timedelta, now: datetime) -> timedelta:
    """Return how long a new URL is valid: until the next multiple of a step, in whole seconds, after `expiry`."""
    step = max(min(MAX_STEP, expiry / STEPS) // SECOND, 1) * SECOND
    expires_at = EPOCH - (EPOCH - now - expiry) // step * step
    return min(expires_at - now, MAX_LIFETIME)
