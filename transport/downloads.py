"""Downloads of outputs and posters in this server's folder by signed URL."""

from collections.abc import Mapping
from types import MappingProxyType

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response

from services.media import FORMATS
from services.storage.content_disposition import content_disposition
from services.storage.folder_storage import FolderStorage
from services.storage.keys import POSTER_SUFFIX

# Applies to the document that a browser creates to show a video or an image that is opened on its own.
POLICY = "default-src 'none'; media-src 'self'; img-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'"
MEDIA_TYPES: Mapping[str, str] = MappingProxyType(
    {POSTER_SUFFIX: "image/jpeg"} | {f".{row.extension}": row.media_type for row in FORMATS.values()}
)


class DownloadEndpoint:
    """The endpoint `/files/{name}`. Supports range requests, which players need for seeking."""

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
            return PlainTextResponse("This link has expired. Get a new one with refreshDownloadUrl.", 404)
        shown_name = f"rendercast-{path.name}"
        return FileResponse(
            path,
            media_type=MEDIA_TYPES.get(path.suffix, "application/octet-stream"),
            headers={
                "Cache-Control": "private, max-age=3600",
                "Content-Disposition": content_disposition(file_name or shown_name, saves=file_name is not None),
                "Content-Security-Policy": POLICY,
            },
        )
