"""Downloads of the text renderer's videos and posters by signed URL."""

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response

from services.backends.text.backend import TextBackend

# Applies to the document that a browser creates to show a video or an image that is opened on its own.
POLICY = "default-src 'none'; media-src 'self'; img-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'"
MEDIA_TYPES = {".mp4": "video/mp4", ".jpg": "image/jpeg"}


class DownloadEndpoint:
    """The endpoint `/files/{name}`. Supports range requests, which players need for seeking."""

    def __init__(self, backend: TextBackend) -> None:
        self._backend = backend

    async def serve(self, request: Request) -> Response:
        """Return the file, or 404 with the same message for an expired and for an invalid URL."""
        path = self._backend.find_download(
            request.path_params["name"],
            expires=request.query_params.get("expires", ""),
            signature=request.query_params.get("signature", ""),
        )
        if path is None:
            return PlainTextResponse("This link has expired. Get a new one with refreshDownloadUrl.", 404)
        return FileResponse(
            path,
            media_type=MEDIA_TYPES.get(path.suffix, "application/octet-stream"),
            filename=f"rendercast-{path.name}",
            content_disposition_type="inline",
            headers={"Cache-Control": "private, max-age=3600", "Content-Security-Policy": POLICY},
        )
