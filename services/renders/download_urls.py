"""Caches the signed URLs of outputs, posters and previews, so that each stays the same for some minutes.

Otherwise a page that reads a render again loads its video again. All processes round the expiry to the same step, so
the URLs of a folder are equal across processes. Presigned URLs of S3 are also slow to sign.
"""

from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from services.models import Download, Output, Render
from services.ports import RenderBackend

# A URL is reused for at most this time and at most 1/12 of its lifetime, and is valid for that much longer at most.
MAX_STEP: Final = timedelta(minutes=5)
STEPS: Final = 12
MAX_LIFETIME: Final = timedelta(days=7)  # of a presigned URL of S3
MAX_URLS: Final = 2000
PREVIEW_EXPIRY: Final = timedelta(minutes=2)
SECOND: Final = timedelta(seconds=1)
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Key = tuple[str | None, ...]


class _Signed(NamedTuple):
    download: Download
    reused_until: datetime


class DownloadUrls:
    """The signed URLs of outputs and previews, up to `MAX_URLS`."""

    def __init__(self) -> None:
        self._urls: OrderedDict[Key, _Signed] = OrderedDict()

    def sign(
        self, backend: RenderBackend, output: Output, *, expiry: timedelta, now: datetime, name: str | None = None
    ) -> Download | None:
        """Return a URL of the output, valid for at least `expiry` unless its credentials expire before.

        An expiry of `MAX_LIFETIME` is shortened by a step. With `name`, browsers save the file under it.
        """
        return self._get(
            (output.bucket, output.key, name),
            lambda lifetime: backend.sign(output, expires_in=lifetime, file_name=name),
            expiry=expiry,
            now=now,
        )

    def sign_poster(
        self, backend: RenderBackend, output: Output, *, expiry: timedelta, now: datetime
    ) -> Download | None:
        """Return a URL of the output's poster, as `sign` does; None if it has no poster."""
        return self._get(
            (output.bucket, output.poster_key),
            lambda lifetime: backend.sign_poster(output, expires_in=lifetime),
            expiry=expiry,
            now=now,
        )

    def sign_preview(self, backend: RenderBackend, render: Render, *, now: datetime) -> Download | None:
        """Return a URL of the render's newest preview, valid for at least `PREVIEW_EXPIRY`; None if it has none."""
        if render.preview_frame is None:
            return None
        return self._get(
            (render.id, f"preview {render.preview_frame}"),
            lambda lifetime: backend.sign_preview(render, expires_in=lifetime),
            expiry=PREVIEW_EXPIRY,
            now=now,
        )

    def _get(
        self, key: Key, sign: Callable[[timedelta], Download | None], *, expiry: timedelta, now: datetime
    ) -> Download | None:
        """Return the cached URL, or else the one that `sign` returns for a lifetime."""
        known = self._urls.get(key)
        if known is not None and now <= known.reused_until:
            return known.download
        step = _step(expiry)
        expiry = min(expiry, MAX_LIFETIME - step)
        # The next multiple of a step after `expiry`.
        download = sign(EPOCH - (EPOCH - now - expiry) // step * step - now)
        if download is not None:
            self._urls[key] = _Signed(download, _reused_until(download, expiry, now))
            self._urls.move_to_end(key)
        if len(self._urls) > MAX_URLS:
            self._urls.popitem(last=False)
        return download


def _step(lifetime: timedelta) -> timedelta:
    """Return by how much a URL of this lifetime may be valid for longer or shorter, in whole seconds."""
    return max(min(MAX_STEP, lifetime / STEPS) // SECOND, 1) * SECOND


def _reused_until(download: Download, expiry: timedelta, now: datetime) -> datetime:
    """Return when its reuse ends: while it is valid for `expiry`, or after one step if its credentials end earlier."""
    lifetime = download.expires_at - now
    is_shortened = lifetime < expiry - SECOND  # presigned URLs expire at a whole second
    return now + _step(lifetime) if is_shortened else download.expires_at - expiry
