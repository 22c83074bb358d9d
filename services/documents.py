"""A render as JSON text: the form in which it is stored, and in which each change is published."""

from pydantic import TypeAdapter

from services.models import Render

_RENDER = TypeAdapter(Render)


def encode(render: Render) -> str:
    """Return the whole render as JSON, times in ISO 8601."""
    return _RENDER.dump_json(render).decode()


def decode(document: str | bytes) -> Render:
    """Return the render that `encode` made the document of. Fields added since take their defaults."""
    return _RENDER.validate_json(document)
