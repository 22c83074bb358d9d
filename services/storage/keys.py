"""The names of the stored files of each render, which are the same in every storage."""

from services.ids import is_render_id
from services.media import FORMATS, OutputKind
from services.models import Render

FOLDER_BUCKET = "local"  # what outputs in a folder have in place of a bucket's name
POSTER_SUFFIX = ".jpg"  # no format has this extension
PREVIEW_SUFFIX = ".preview.jpg"
_SUFFIXES = frozenset({POSTER_SUFFIX, PREVIEW_SUFFIX} | {f".{row.extension}" for row in FORMATS.values()})


def output_name(render: Render) -> str:
    """Return the name of a render's output."""
    return f"{render.id}.{FORMATS[render.output_options.format].extension}"


def poster_name(render: Render) -> str | None:
    """Return the name of a render's poster; None for stills, which are shown themselves."""
    is_still = FORMATS[render.output_options.format].kind is OutputKind.STILL
    return None if is_still else f"{render.id}{POSTER_SUFFIX}"


def preview_name(render: Render) -> str:
    """Return the name of a render's preview."""
    return f"{render.id}{PREVIEW_SUFFIX}"


def stored_names(render_id: str) -> list[str]:
    """Return all names that a stored file of the render may have, whatever its format."""
    return [render_id + suffix for suffix in sorted(_SUFFIXES)]


def is_stored_name(name: str) -> bool:
    """Return whether this may be the name of a stored file. Unfinished files have another end."""
    render_id, _, suffix = name.partition(".")
    return is_render_id(render_id) and f".{suffix}" in _SUFFIXES
