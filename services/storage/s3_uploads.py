"""Uploads of files to S3 by boto3's transfer manager: large files in parts, a few at once."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from boto3.s3.transfer import TransferConfig, create_transfer_manager

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MAX_CONCURRENT_UPLOADS = 4
MAX_CONCURRENT_REQUESTS = 8  # of all uploads together; each sends one file or one part, read in pieces from the disk
PART_BYTES = 16 * 1024 * 1024  # a file of 160 GB has 10,000 parts, the maximum of S3
CANCEL_TIMEOUT_S = 10.0  # for the request that is being sent, and for the one that aborts the upload


class Uploads:
    """The uploads of one client, in threads of their own."""

    def __init__(self, client: "S3Client") -> None:
        config = TransferConfig(
            multipart_threshold=PART_BYTES,
            multipart_chunksize=PART_BYTES,
            max_concurrency=MAX_CONCURRENT_REQUESTS,
            preferred_transfer_client="classic",
        )
        self._manager = create_transfer_manager(client, config)
        self._threads = ThreadPoolExecutor(MAX_CONCURRENT_UPLOADS, thread_name_prefix="upload")
        self._free = asyncio.Semaphore(MAX_CONCURRENT_UPLOADS)

    def close(self) -> None:
        """End the threads, without waiting for running uploads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def upload(self, bucket: str, key: str, path: Path, *, content_type: str) -> None:
        """Upload a file. Raises boto3's errors.

        After an error or a cancellation, no part of the file stays stored if the storage responds to its abort.
        """
        async with self._free:
            transfer = self._manager.upload(str(path), bucket, key, extra_args={"ContentType": content_type})
            ended = asyncio.get_running_loop().run_in_executor(self._threads, _wait, transfer.result)
            try:
                error = await asyncio.shield(ended)
            except asyncio.CancelledError:
                transfer.cancel()
                await asyncio.wait([ended], timeout=CANCEL_TIMEOUT_S)
                raise
        if error is not None:
            raise error


def _wait(result: Callable[[], object]) -> Exception | None:
    """Wait for the end of a transfer, and return its error."""
    try:
        result()
    except Exception as error:  # noqa: BLE001  # the caller raises it, unless it has been cancelled meanwhile
        return error
    return None
