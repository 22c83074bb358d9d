"""Downloads by signed URL, with a fake clock."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.requests import Request
from starlette.types import Message

from services.backends.text.backend import TextBackend
from services.media import FORMATS
from services.models import Output, replace
from services.runtime.adapters import open_embedded
from services.settings import load_settings
from services.storage.folder_storage import FolderStorage
from tests.support.api_client import open_client
from tests.support.api_server import rewired, serve
from tests.support.fake_clock import FakeClock
from tests.support.text_renderer import text_renderer
from transport.downloads import DownloadEndpoint

VIDEO = bytes(range(256)) * 40
OUTPUT = Output(bucket="local", key="01hzzzzzzzzzzzzzzzzzzzzzzz.mp4", size_bytes=len(VIDEO))
EXPIRY = timedelta(seconds=3600)


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    http: httpx.AsyncClient
    backend: TextBackend
    folder: Path

    async def get(self, url: str, **headers: str) -> httpx.Response:
        """Fetch the path of a URL from the server, ignoring the URL's host."""
        return await self.request("GET", url, headers)

    async def request(
        self, method: str, url: str, headers: Mapping[str, str] | list[tuple[str, str]]
    ) -> httpx.Response:
        return await self.http.request(method, url.partition("://")[2].partition("/")[2], headers=headers)


@pytest.fixture
async def files(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Files]:
    async with AsyncExitStack() as stack:
        services = await stack.enter_async_context(open_embedded(load_settings(data_dir=tmp_path)))
        backend = await stack.enter_async_context(
            text_renderer(tmp_path, width=64, height=64, base_url="http://videos.example", clock=clock)
        )
        url = await stack.enter_async_context(serve(rewired(services, backend=backend)))
        client = await stack.enter_async_context(open_client(url))
        (tmp_path / "outputs" / OUTPUT.key).write_bytes(VIDEO)
        yield Files(http=client.http, backend=backend, folder=tmp_path / "outputs")


async def test_a_url_works_until_the_second_of_its_expiry(files: Files, clock: FakeClock) -> None:
    download = files.backend.sign(OUTPUT, expires_in=EXPIRY)
    assert download.expires_at == clock.now() + EXPIRY
    assert (await files.get(download.url)).content == VIDEO
    await clock.advance(EXPIRY.total_seconds() - 1)
    assert (await files.get(download.url)).status_code == 200
    await clock.advance(1)
    rejected = await files.get(download.url)
    assert (rejected.status_code, "refreshDownloadUrl" in rejected.text) == (404, True)


async def test_a_changed_expiry_is_rejected(files: Files, clock: FakeClock) -> None:
    download = files.backend.sign(OUTPUT, expires_in=EXPIRY)
    expires = str(int(download.expires_at.timestamp()))
    later = download.url.replace(expires, str(int(expires) + 1))
    assert later != download.url
    assert (await files.get(later)).status_code == 404
    await clock.advance(EXPIRY.total_seconds())
    assert (await files.get(later)).status_code == 404


async def test_a_range_of_the_video_can_be_requested(files: Files) -> None:
    url = files.backend.sign(OUTPUT, expires_in=EXPIRY).url
    part = await files.get(url, Range="bytes=256-511")
    assert (part.status_code, part.content) == (206, bytes(range(256)))
    assert part.headers["content-range"] == f"bytes 256-511/{len(VIDEO)}"


RANGES = {
    "bytes=0-9": (206, VIDEO[:10]),
    "Bytes=0-9": (206, VIDEO[:10]),
    "bytes=10230-99999": (206, VIDEO[10230:]),
    "bytes=-10": (206, VIDEO[-10:]),
    "bytes=-99999": (206, VIDEO),
    "bytes=99999-,5-6": (206, VIDEO[5:7]),
    "bytes=99999-": (416, b""),
    "bytes=-0": (416, b""),
    "items=0-1": (200, VIDEO),
    "bytes=9-1": (200, VIDEO),
    "bytes=0-1,9-1": (200, VIDEO),
    "bytes=": (200, VIDEO),
    "bytes": (200, VIDEO),
    "bytes=-": (200, VIDEO),
    "bytes=a-b": (200, VIDEO),
    "bytes=0-1-2": (200, VIDEO),
    "bytes=0 - 1": (200, VIDEO),
    "bytes=\u0660-1": (200, VIDEO),
    f"bytes={'9' * 5000}-": (200, VIDEO),
    "0-9": (200, VIDEO),
}


@pytest.mark.parametrize("value", RANGES)
async def test_a_range_that_is_not_valid_is_ignored(files: Files, value: str) -> None:
    url = files.backend.sign(OUTPUT, expires_in=EXPIRY).url
    part = await files.get(url, Range=value.encode())  # type: ignore[arg-type]  # httpx encodes str in ASCII
    assert (part.status_code, part.content) == RANGES[value]
    if part.status_code == 416:
        assert part.headers["content-range"] == f"bytes */{len(VIDEO)}"


async def test_a_range_is_for_get_only(files: Files) -> None:
    response = await files.request("HEAD", files.backend.sign(OUTPUT, expires_in=EXPIRY).url, {"Range": "bytes=0-1"})
    assert (response.status_code, response.headers["content-length"]) == (200, str(len(VIDEO)))


async def test_another_version_of_a_file_is_not_sent(files: Files) -> None:
    url = files.backend.sign(OUTPUT, expires_in=EXPIRY).url
    first = await files.get(url)
    tag, date, past = first.headers["etag"], first.headers["last-modified"], "Sun, 06 Nov 1994 08:49:37 GMT"
    for wanted in ({"If-Match": f'"other", {tag}'}, {"If-Match": "*"}, {"If-Unmodified-Since": date}):
        assert (await files.get(url, **wanted)).status_code == 200
    for other in ({"If-Match": '"other"'}, {"If-Match": f"W/{tag}"}, {"If-Unmodified-Since": past}):
        response = await files.get(url, **other)
        assert (response.status_code, response.content) == (412, b"")


async def test_several_ranges_are_sent_in_parts(files: Files) -> None:
    part = await files.get(files.backend.sign(OUTPUT, expires_in=EXPIRY).url, Range="bytes=0-1,100-101")
    assert (part.status_code, part.headers["content-type"].partition(";")[0]) == (206, "multipart/byteranges")
    assert part.content.count(b"Content-Range: bytes ") == 2


async def test_a_file_that_the_client_has_is_not_sent_again(files: Files) -> None:
    url = files.backend.sign(OUTPUT, expires_in=EXPIRY).url
    first = await files.get(url)
    tag, date = first.headers["etag"], first.headers["last-modified"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = await files.get(url, **{"If-None-Match": known, "Range": "bytes=0-9"})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert again.headers["cache-control"] == first.headers["cache-control"]
    repeated = [("If-None-Match", '"other"'), ("If-None-Match", tag)]
    assert (await files.request("GET", url, repeated)).status_code == 304
    assert (await files.get(url, **{"If-Modified-Since": date})).status_code == 304
    for header in ({"If-None-Match": '"other"', "If-Modified-Since": date}, {"If-Modified-Since": "yesterday"}):
        assert (await files.get(url, **header)).content == VIDEO
    past = "Sun, 06 Nov 1994 08:49:37 GMT"
    assert (await files.get(url, **{"If-Modified-Since": past})).status_code == 200


@pytest.mark.parametrize("year", [1994, 2100])
async def test_a_date_of_unknown_zone_is_in_utc(files: Files, year: int) -> None:
    url = files.backend.sign(OUTPUT, expires_in=EXPIRY).url
    response = await files.get(url, **{"If-Modified-Since": f"Sun, 06 Nov {year} 08:49:37 -0000"})
    assert response.status_code == (304 if year == 2100 else 200)


@pytest.mark.parametrize("date", ["Sun, 06 Nov 99999999999999999999 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 +9999"])
async def test_an_invalid_date_is_ignored(files: Files, date: str) -> None:
    response = await files.get(files.backend.sign(OUTPUT, expires_in=EXPIRY).url, **{"If-Modified-Since": date})
    assert (response.status_code, response.content) == (200, VIDEO)


async def test_a_range_is_returned_only_of_an_unchanged_video(files: Files) -> None:
    url = files.backend.sign(OUTPUT, expires_in=EXPIRY).url
    first = await files.get(url)
    resumed = await files.get(url, Range="bytes=0-9", **{"If-Range": first.headers["etag"]})
    assert resumed.status_code == 206
    changed = await files.get(url, Range="bytes=0-9", **{"If-Range": '"another"'})
    assert (changed.status_code, len(changed.content)) == (200, len(VIDEO))


SUFFIXES = [("jpg", "image/jpeg"), *sorted({(row.extension, row.media_type) for row in FORMATS.values()})]


@pytest.mark.parametrize(("suffix", "media_type"), SUFFIXES)
async def test_a_file_is_served_with_its_media_type_and_protective_headers(
    files: Files, suffix: str, media_type: str
) -> None:
    name = f"01hzzzzzzzzzzzzzzzzzzzzzzz.{suffix}"
    (files.folder / name).write_bytes(VIDEO)
    served = await files.get(files.backend.sign(replace(OUTPUT, key=name), expires_in=EXPIRY).url)
    assert (served.content, served.headers["content-type"]) == (VIDEO, media_type)
    assert served.headers["content-disposition"] == f'inline; filename="rendercast-{name}"'
    assert served.headers["x-content-type-options"] == "nosniff"
    assert served.headers["content-security-policy"].startswith("default-src 'none'")
    assert served.headers["cache-control"] == "private, max-age=3600"


async def test_a_preview_that_is_replaced_or_deleted_while_it_is_sent_is_complete(files: Files) -> None:
    name = "01hzzzzzzzzzzzzzzzzzzzzzzz.preview.jpg"
    (files.folder / name).write_bytes(VIDEO)
    storage = files.backend.storage
    assert isinstance(storage, FolderStorage)
    signed = urlsplit(storage.sign(replace(OUTPUT, key=name), expires_in=EXPIRY).url)
    scope = {"type": "http", "method": "GET", "headers": [], "query_string": signed.query.encode()}
    request = Request({**scope, "path_params": {"name": name}})
    response = await DownloadEndpoint(storage).serve(request)
    (files.folder / name).unlink()
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await response(request.scope, request.receive, send)
    assert b"".join(message.get("body", b"") for message in sent) == VIDEO
    assert (await DownloadEndpoint(storage).serve(request)).status_code == 404


async def test_a_file_is_saved_under_the_signed_name(files: Files) -> None:
    url = files.backend.sign(OUTPUT, expires_in=EXPIRY, file_name="Promo-1.mp4").url
    served = await files.get(url)
    assert (served.status_code, served.content) == (200, VIDEO)
    assert served.headers["content-disposition"] == 'attachment; filename="Promo-1.mp4"'
    assert served.headers["content-type"] == "video/mp4"


async def test_another_name_or_none_is_rejected(files: Files) -> None:
    url = files.backend.sign(OUTPUT, expires_in=EXPIRY, file_name="Promo.mp4").url
    for changed in (url.replace("Promo", "Other"), url.partition("&name=")[0], url.replace("Promo.mp4", "")):
        assert changed != url
        assert (await files.get(changed)).status_code == 404
    shown = files.backend.sign(OUTPUT, expires_in=EXPIRY).url
    assert (await files.get(f"{shown}&name=Promo.mp4")).status_code == 404


async def test_other_files_are_not_served_even_with_a_valid_signature(files: Files) -> None:
    for key in ("../download-key", "../rendercast.sqlite3", "..", "."):
        url = files.backend.sign(replace(OUTPUT, key=key), expires_in=EXPIRY).url
        name, _, query = url.partition("/files/")[2].partition("?")
        response = await files.http.get(f"/files/{name.replace('/', '%2f').replace('.', '%2e')}?{query}")
        assert response.status_code == 404
