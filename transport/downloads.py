"""Downloads of the text renderer's outputs and posters by signed URL."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response

from services.backends.text.backend import TextBackend
from services.backends.text.output_files import POSTER_SUFFIX
from services.media import FORMATS

# Applies to the document that a browser creates to show a video or an image that is opened on its own.
POLICY = "default-src 'none'; media-src 'self'; img-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'"
MEDIA_TYPES: Mapping[str, str] = MappingProxyType(
    {POSTER_SUFFIX: "image/jpeg"} | {f".{row.extension}": row.media_type for row in FORMATS.values()}
)
MAX_NAME_LENGTH = 150  # characters; file systems allow 255 bytes
_RESERVED = frozenset('/\\:*?"<>|')  # in file names on Windows, and in the header


class DownloadEndpoint:
    """The endpoint `/files/{name}`. Supports range requests, which players need for seeking."""

    def __init__(self, backend: TextBackend) -> None:
        self._backend = backend

    async def serve(self, request: Request) -> Response:
        """Return the file, or 404 with the same message for an expired and for an invalid URL.

        With the query parameter `name`, which the signature covers, browsers save the file under this name.
        """
        file_name = request.query_params.get("name")
        path = self._backend.find_download(
            request.path_params["name"],
            expires=request.query_params.get("expires", ""),
            signature=request.query_params.get("signature", ""),
            file_name=file_name,
        )
        if path is None:
            return PlainTextResponse("This link has expired. Get a new one with refreshDownloadUrl.", 404)
        return FileResponse(
            path,
            media_type=MEDIA_TYPES.get(path.suffix, "application/octet-stream"),
            headers={
                "Cache-Control": "private, max-age=3600",
                "Content-Disposition": content_disposition(path, file_name),
                "Content-Security-Policy": POLICY,
            },
        )


def content_disposition(path: Path, file_name: str | None) -> str:
    """Return the header (RFC 6266): with a file name, browsers save the file, otherwise they show it."""
    name = f"rendercast-{path.name}" if file_name is None else _safe(file_name) or path.name
    kind = "inline" if file_name is None else "attachment"
    ascii_name = name.encode("ascii", "replace").decode().replace("?", "_").replace("%", "_")
    header = f'{kind}; filename="{ascii_name}"'
    return header if ascii_name == name else f"{header}; filename*=UTF-8''{quote(name, safe='')}"


def _safe(file_name: str) -> str:
    """Return the file name without separators of paths, control characters, and dots and spaces at its ends."""
    usable = (character for character in file_name if character.isprintable())
    name = "".join("_" if character in _RESERVED else character for character in usable)
    stem, dot, extension = name.strip(". ").rpartition(".")
    return f"{stem[: max(0, MAX_NAME_LENGTH - len(dot + extension))]}{dot}{extension}"[:MAX_NAME_LENGTH]
