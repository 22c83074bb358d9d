"""Output storages: a folder, and buckets of two S3 servers."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from services.clock import SystemClock
from services.models import Download, Output, Render
from services.storage.folder_storage import FolderStorage, open_folder_storage
from services.storage.ports import OutputStorage
from services.storage.s3_access import S3Access
from services.storage.s3_storage import open_s3_storage
from services.storage.unfinished_files import unfinished
from tests.support.s3_server import FaultyS3, S3Server
from tests.support.s3rver import KEY, S3rver, needs_s3rver
from tests.support.server_process import TIMEOUT_S

BUCKET = "outputs"
VIDEO, POSTER = bytes(range(256)) * 4, b"\xff\xd8poster"


class Fetch(Protocol):
    """Downloads what a URL refers to."""

    async def __call__(self, download: Download) -> httpx.Response: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A storage, and what its clients get."""

    storage: OutputStorage
    fetch: Fetch

    def write(self, name: str, content: bytes) -> Path:
        """Write an unfinished file."""
        path = unfinished(self.storage.work_folder, name)
        path.write_bytes(content)
        return path

    async def store(self, render: Render, *, video: bytes = VIDEO, poster: bytes | None = POSTER) -> Output:
        """Store a video, and a poster unless it is None."""
        made = None if poster is None else self.write("poster", poster)
        return await self.storage.store(render, output=self.write("video", video), poster=made)


def s3_access(endpoint: str, *, key: str = "key", bucket: str = BUCKET) -> S3Access:
    """Return the access to a bucket of a server of the tests."""
    return S3Access(
        endpoint=endpoint,
        bucket=bucket,
        region="us-east-1",
        access_key_id=key,
        secret_access_key=key,
        path_style=True,
    )


def open_bucket(access: S3Access, data_dir: Path, *, with_worker: bool = True):  # type: ignore[no-untyped-def]
    """Open a bucket as the storage."""
    return open_s3_storage(access, data_dir=data_dir, clock=SystemClock(), shared=True, with_worker=with_worker)


async def fetch_url(download: Download) -> httpx.Response:
    """Request a presigned URL."""
    async with httpx.AsyncClient(trust_env=False, timeout=TIMEOUT_S) as http:
        return await http.get(download.url)


@asynccontextmanager
async def in_folder(request: pytest.FixtureRequest) -> AsyncIterator[Stored]:
    folder: Path = request.getfixturevalue("tmp_path")
    storage = open_folder_storage(folder, base_url="http://videos.example", clock=SystemClock(), shared=True)

    async def fetch(download: Download) -> httpx.Response:
        return _served(storage, download)

    yield Stored(storage=storage, fetch=fetch)


def _served(storage: FolderStorage, download: Download) -> httpx.Response:
    """Return what `transport.downloads` serves, without its headers."""
    url = urlsplit(download.url)
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    path = storage.find_download(
        url.path.removeprefix("/files/"),
        expires=query["expires"],
        signature=query["signature"],
        file_name=query.get("name"),
    )
    return httpx.Response(404) if path is None else httpx.Response(200, content=path.read_bytes())


@asynccontextmanager
async def in_moto(request: pytest.FixtureRequest) -> AsyncIterator[Stored]:
    server: S3Server = request.getfixturevalue("s3_server")
    server.make_bucket(BUCKET)
    async with open_bucket(s3_access(server.url), request.getfixturevalue("tmp_path")) as storage:
        yield Stored(storage=storage, fetch=fetch_url)


@asynccontextmanager
async def in_s3rver(request: pytest.FixtureRequest) -> AsyncIterator[Stored]:
    server: S3rver = request.getfixturevalue("s3rver")
    access = s3_access(server.url, key=KEY)
    async with open_bucket(access, request.getfixturevalue("tmp_path")) as storage:
        yield Stored(storage=storage, fetch=fetch_url)


@pytest.fixture(scope="session")
def s3rver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3rver]:
    """A second S3 server for all tests of a worker."""
    with S3rver(tmp_path_factory.mktemp("s3rver"), BUCKET) as server:
        yield server


@pytest.fixture(
    params=[
        in_folder,
        pytest.param(in_moto, marks=pytest.mark.slow),
        pytest.param(in_s3rver, marks=[pytest.mark.slow, needs_s3rver]),
    ]
)
async def stored(request: pytest.FixtureRequest) -> AsyncIterator[Stored]:
    async with request.param(request) as opened:
        yield opened


@pytest.fixture
def faulty(s3_server: S3Server) -> Iterator[FaultyS3]:
    """A proxy before the S3 server, which injects errors."""
    s3_server.make_bucket(BUCKET)
    with FaultyS3(s3_server) as proxy:
        yield proxy


@pytest.fixture
async def bucket(faulty: FaultyS3, tmp_path: Path) -> AsyncIterator[Stored]:
    """A storage behind the proxy."""
    async with open_bucket(s3_access(faulty.url), tmp_path) as storage:
        yield Stored(storage=storage, fetch=fetch_url)
