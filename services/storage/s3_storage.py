"""The output storage in a bucket, from which clients download them by presigned URL."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from services.errors import BackendUnavailable, StartupError
from services.media import FORMATS
from services.models import Download, Output, Render, replace
from services.ports import Clock
from services.storage.aws_errors import AwsError
from services.storage.content_disposition import content_disposition
from services.storage.keys import FOLDER_BUCKET, output_name, poster_name, preview_name
from services.storage.s3_access import S3Access
from services.storage.s3_bucket import OutputBucket, open_output_bucket
from services.storage.s3_checks import require_writable
from services.storage.s3_credentials import renewed_credentials
from services.storage.unfinished_files import prepare_work_folder

FOLDER = "rendercast/"  # the first part of each key, the same as with the renderer `lambda`
JPEG = "image/jpeg"

T = TypeVar("T")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Storage:
    """An `OutputStorage` in a bucket. Open it with `open_s3_storage`. An empty object never counts as an output."""

    objects: OutputBucket
    work_folder: Path
    clock: Clock

    async def stored(self, render: Render) -> Output | None:
        """Return the render's output; None if there is none."""
        key, poster = _key(output_name(render)), poster_name(render)
        size_bytes = await self._size(self.bucket, key)
        if not size_bytes:
            return None
        has_poster = poster is not None and await self._size(self.bucket, _key(poster))
        return self._output(render, size_bytes, poster_key=_key(poster) if poster and has_poster else None)

    async def store(self, render: Render, *, output: Path, poster: Path | None) -> Output:
        """Upload finished files."""
        if (stored := await self.stored(render)) is not None:
            return stored
        poster_key = await self._store_poster(render, poster)
        media_type = FORMATS[render.output_options.format].media_type
        await _available(self.objects.upload(_key(output_name(render)), output, content_type=media_type))
        size_bytes = (await asyncio.to_thread(output.stat)).st_size
        return self._output(render, size_bytes, poster_key=poster_key)

    async def has_output(self, output: Output) -> bool:
        """Return whether the object exists and is not empty."""
        found = self._locate(output)
        return bool(await self._size(found.bucket, found.key))

    async def delete(self, render: Render) -> None:
        """Delete the objects of a render."""
        bucket = self.bucket if render.output is None else self._locate(render.output).bucket
        await _available(self.objects.delete_all(bucket, _key(f"{render.id}.")))

    async def store_preview(self, render: Render, jpeg: bytes) -> None:
        """Replace the object of the preview."""
        await _available(self.objects.put(self.bucket, _key(preview_name(render)), jpeg, content_type=JPEG))

    async def delete_preview(self, render: Render) -> None:
        """Delete the object of the preview."""
        await _available(self.objects.delete_all(self.bucket, _key(preview_name(render))))

    def sign(self, output: Output, *, expires_in: timedelta, file_name: str | None = None) -> Download:
        """Return a presigned URL. It expires with the credentials that signed it, if that is earlier."""
        found, headers = self._locate(output), {} if file_name is None else _disposition(file_name, as_attachment=True)
        return self._sign(found.bucket, found.key, expires_in, headers)

    def sign_poster(self, output: Output, *, expires_in: timedelta) -> Download | None:
        """Return a presigned URL of the poster; None if there is none."""
        found = self._locate(output)
        return None if found.poster_key is None else self._sign(found.bucket, found.poster_key, expires_in, {})

    def sign_preview(self, render: Render, *, frame: int, expires_in: timedelta) -> Download:
        """Return a presigned URL with the frame in the file's name, so that it differs within a second too."""
        headers = _disposition(f"{render.id}-{frame}.jpg", as_attachment=False)
        return self._sign(self.bucket, _key(preview_name(render)), expires_in, headers)

    @property
    def bucket(self) -> str:
        """The name of the bucket."""
        return self.objects.access.bucket

    def _locate(self, output: Output) -> Output:
        """Return the output with its place in the storage: one of a folder may have been copied into the bucket."""
        if output.bucket != FOLDER_BUCKET:
            return output
        poster_key = None if output.poster_key is None else _key(output.poster_key)
        return replace(output, bucket=self.bucket, key=_key(output.key), poster_key=poster_key)

    async def _store_poster(self, render: Render, poster: Path | None) -> str | None:
        name = poster_name(render)
        if name is None or poster is None or not await asyncio.to_thread(poster.exists):
            return None
        try:
            await _available(self.objects.upload(_key(name), poster, content_type=JPEG))
        except BackendUnavailable as error:
            if error.failure is None:
                raise
            log.warning("render %s has no poster: %s", render.id, error)
            return None
        return _key(name)

    def _sign(self, bucket: str, key: str, expires_in: timedelta, headers: Mapping[str, str]) -> Download:
        return self.objects.presign_url(bucket, key, now=self.clock.now(), expires_in=expires_in, response=headers)

    def _output(self, render: Render, size_bytes: int, *, poster_key: str | None) -> Output:
        key = _key(output_name(render))
        return Output(bucket=self.bucket, key=key, size_bytes=size_bytes, poster_key=poster_key)

    async def _size(self, bucket: str, key: str) -> int | None:
        return await _available(self.objects.size(bucket, key))


@asynccontextmanager
async def open_s3_storage(
    access: S3Access, *, data_dir: Path, clock: Clock, shared: bool, with_worker: bool
) -> AsyncIterator[S3Storage]:
    """Open the storage; for a worker, first verify that outputs can be stored. Raises `StartupError` if not.

    Unfinished files of a worker are in `data_dir`, which other processes may use too if it is `shared`.
    """
    work_folder = _work_folder(data_dir)
    async with open_output_bucket(access) as objects:
        if with_worker:
            _prepare(work_folder, shared=shared)
            await require_writable(objects)
        unchecked = None if with_worker else access.bucket
        async with renewed_credentials(objects, clock=clock, unchecked=unchecked):
            yield S3Storage(objects=objects, work_folder=work_folder, clock=clock)


def _work_folder(data_dir: Path) -> Path:
    return data_dir.resolve() / "outputs"


def _prepare(work_folder: Path, *, shared: bool) -> None:
    try:
        prepare_work_folder(work_folder, shared=shared)
    except OSError as error:
        raise StartupError(f"The folder {work_folder} can't be used for unfinished videos: {error}.") from error


async def _available(call: Awaitable[T]) -> T:
    """Return the result of the call. Raises `BackendUnavailable` for an `AwsError`."""
    try:
        return await call
    except AwsError as error:
        failure = error.failure
        detail = str(error) if failure is None else failure.detail or str(error)
        raise BackendUnavailable(detail, failure=failure) from error


def _key(name: str) -> str:
    return f"{FOLDER}{name}"


def _disposition(file_name: str, *, as_attachment: bool) -> Mapping[str, str]:
    return {"response-content-disposition": content_disposition(file_name, as_attachment=as_attachment)}
