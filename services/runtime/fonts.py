"""The fonts of the text renderer in this process."""

from typing import TYPE_CHECKING

from services.settings import Settings

if TYPE_CHECKING:
    from services.backends.text.font_library import FontLibrary


def read_fonts(settings: Settings) -> "FontLibrary":
    """Return the fonts of this installation and of the operator's folder.

    Raises `StartupError` if a file in the folder is not a font.
    """
    from services.backends.text.font_folder import read_font_folder
    from services.backends.text.font_library import FontLibrary, emoji_faces

    folder = settings.renderer.fonts_dir
    return FontLibrary([*(read_font_folder(folder) if folder else ()), *emoji_faces(settings.pages.web_dir)])


def fonts_of(backend: object) -> "FontLibrary | None":
    """Return the fonts of a renderer; None if it draws with those of a Remotion project."""
    from services.backends.text.font_library import FontLibrary

    fonts = getattr(backend, "fonts", None)
    return fonts if isinstance(fonts, FontLibrary) else None
