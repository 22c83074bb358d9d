"""Reads the operator's folder of fonts."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from services.backends.text.font_families import FontFace
from services.backends.text.sfnt import NotAFont, read_faces
from services.errors import StartupError

MAX_FILES: Final = 2000
MAX_FILE_BYTES: Final = 256 * 1024 * 1024  # Apple Color Emoji, the largest font in use, has 190 MB
_SUFFIXES: Final = frozenset({".ttf", ".otf", ".ttc", ".otc"})
_WEB_SUFFIXES: Final = frozenset({".woff", ".woff2"})


def read_font_folder(folder: Path) -> list[FontFace]:
    """Return the faces of the TTF, OTF and TTC files in `folder` and its subfolders, in the order of their paths.

    Links to files are followed, links to folders are not, hidden files are skipped: Kubernetes keeps copies in them.
    Raises `StartupError` with a sentence for the operator, for the first file that is not a font.
    """
    if not folder.is_dir():
        raise StartupError(f"RENDERCAST_FONTS_DIR is {folder}, which is not a folder.")
    paths = sorted(_font_paths(folder))
    if len(paths) > MAX_FILES:
        raise StartupError(f"RENDERCAST_FONTS_DIR has {len(paths)} fonts, but at most {MAX_FILES} are read.")
    return [face for path in paths for face in _faces(path)]


def _font_paths(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder, onerror=_fail):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            suffix = Path(name).suffix.lower()
            if suffix in _SUFFIXES | _WEB_SUFFIXES and not name.startswith("."):
                yield Path(parent, name)


def _fail(error: OSError) -> None:
    raise StartupError(f"RENDERCAST_FONTS_DIR can't be read: {error.strerror}: {error.filename}.") from error


def _faces(path: Path) -> Iterator[FontFace]:
    try:
        _check(path)
        faces = read_faces(path)
    except NotAFont as error:
        raise StartupError(f"The file {path} in RENDERCAST_FONTS_DIR {error}. Replace or remove it.") from error
    except OSError as error:
        raise StartupError(
            f"The file {path} in RENDERCAST_FONTS_DIR can't be read: {error.strerror}. Make it readable or remove it."
        ) from error
    for face in faces:
        yield FontFace(
            family=face.family,
            path=str(path.absolute()),
            index=face.index,
            min_weight=face.min_weight,
            max_weight=face.max_weight,
            italic=face.italic,
            has_color=face.has_color,
        )


def _check(path: Path) -> None:
    """Raise `NotAFont` for what is not opened, and `OSError`."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise NotAFont("is not a file")
    if path.suffix.lower() in _WEB_SUFFIXES:
        raise NotAFont("is a web font, but only TTF, OTF and TTC files are used")
    if status.st_size > MAX_FILE_BYTES:
        raise NotAFont(f"has more than {MAX_FILE_BYTES // 1024**2} MB")
