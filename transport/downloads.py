"""Downloads of outputs and posters in this server's folder by signed URL."""

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from types import MappingProxyType

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.staticfiles import NotModifiedResponse

from services.media import FORMATS
from services.storage.content_disposition import content_disposition
from services.storage.folder_storage import FolderStorage
from services.storage.keys import POSTER_SUFFIX, PREVIEW_SUFFIX
from transport.conditional_requests import has_failed_precondition, is_not_modified, satisfiable_ranges

# Applies to the document that a browser creates to show a video or an image that is opened on its own.
POLICY = "default-src 'none'; media-src 'self'; img-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'"
GONE = "This link has expired. Get a new one with refreshDownloadUrl."
MEDIA_TYPES: Mapping[str, str] = MappingProxyType(
    {POSTER_SUFFIX: "image/jpeg"} | {f".{row.extension}": row.media_type for row in FORMATS.values()}
)


class DownloadEndpoint:
    """The endpoint `/files/{name}`. Supports conditional requests, and ranges, which players need for seeking."""

    def __init__(self, storage: FolderStorage) -> None:
        self._storage = storage

    async def serve(self, request: Request) -> Response:
        """Return the file, or 404 with the same message for an expired and for an invalid URL.

        With the query parameter `name`, which the signature covers, browsers save the file under this name.
        """
        file_name = request.query_params.get("name")
        path = self._storage.find_download(
            request.path_params["name"],
            expires=request.query_params.get("expires", ""),
            signature=request.query_params.get("signature", ""),
            file_name=file_name,
        )
        if path is None:
            return PlainTextResponse(GONE, 404)
        try:
            if path.name.endswith(PREVIEW_SUFFIX):
                return await _preview_response(path)
            response = _file_response(path, file_name)
        except FileNotFoundError:  # deleted since
            return PlainTextResponse(GONE, 404)
        conditions = {name: ", ".join(request.headers.getlist(name)) for name in request.headers}
        if has_failed_precondition(conditions, response.headers):
            return Response(status_code=HTTPStatus.PRECONDITION_FAILED)
        if is_not_modified(conditions, response.headers):
            return NotModifiedResponse(response.headers)
        _replace_range(request, size=int(response.headers["content-length"]))
        return response


async def _preview_response(path: Path) -> Response:
    """Return the response with a preview, read at once: it may be replaced or deleted while `FileResponse` sends it.

    Raises `FileNotFoundError`.
    """
    content = await asyncio.to_thread(path.read_bytes)
    return Response(content, media_type=MEDIA_TYPES[path.suffix], headers=_headers(path, None))


def _file_response(path: Path, file_name: str | None) -> FileResponse:
    """Return the response with the file. Raises `FileNotFoundError`."""
    media_type = MEDIA_TYPES.get(path.suffix, "application/octet-stream")
    return FileResponse(path, stat_result=path.stat(), media_type=media_type, headers=_headers(path, file_name))


def _headers(path: Path, file_name: str | None) -> Mapping[str, str]:
    shown_name = f"rendercast-{path.name}"
    return {
        "Cache-Control": "private, max-age=3600",
        "Content-Disposition": content_disposition(file_name or shown_name, as_attachment=file_name is not None),
        "Content-Security-Policy": POLICY,
    }


def _replace_range(request: Request, *, size: int) -> None:
    """Remove ranges that must be ignored: `FileResponse` applies them to HEAD, and sends 400 if they are invalid."""
    value = request.headers.get("range")
    if value is None:
        return
    ranges = satisfiable_ranges(value, size=size) if request.method == "GET" else None
    others = [header for header in request.scope["headers"] if header[0] != b"range"]
    request.scope["headers"] = others if ranges is None else [*others, (b"range", ranges.encode("latin-1"))]
