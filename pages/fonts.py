"""Serves the text renderer's fonts to the studio, for samples in its list of families."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response

from services.backends.text.font_library import FontLibrary

PATH = "/assets/studio/fonts/{family}"
MEDIA_TYPES = {".ttf": "font/ttf", ".otf": "font/otf", ".woff": "font/woff"}  # browsers don't load collections


class FontFiles:
    """The regular, upright font of each family."""

    def __init__(self, fonts: FontLibrary) -> None:
        self._fonts = fonts

    async def serve(self, request: Request) -> Response:
        """Serve a font by its family's name, in any case, or 404 if there is none that browsers can load."""
        family = self._fonts.families.get(request.path_params["family"].casefold())
        path = None if family is None else Path(family.face(400, italic=False).path)
        media_type = None if path is None else MEDIA_TYPES.get(path.suffix.lower())
        if path is None or media_type is None or not path.is_file():
            return PlainTextResponse("Not found", 404)
        headers = {"Cache-Control": "public, max-age=86400", "X-Content-Type-Options": "nosniff"}
        return FileResponse(path, media_type=media_type, headers=headers)
