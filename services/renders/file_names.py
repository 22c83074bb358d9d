"""Names under which browsers save the outputs of renders."""

from services.media import FORMATS
from services.models import Render

MAX_NAME_LENGTH = 60  # characters of the composition's id


def file_name(render: Render) -> str:
    """Return the name for `RenderBackend.sign`: unique, such as `Promo-01jd6k….webm`, and sorted by time after that."""
    name = "".join(
        character if character.isascii() and character.isalnum() else "-" for character in render.composition_id
    )
    extension = FORMATS[render.output_options.format].extension
    return f"{name[:MAX_NAME_LENGTH].strip('-') or 'render'}-{render.id}.{extension}"
