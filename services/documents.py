"""A render as a document: JSON text where text is kept or sent, a mapping where a database keeps mappings."""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from pydantic import TypeAdapter

from services.models import Render


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """A change as it is sent from process to process: the changed render, and when it was published by wall clock."""

    render: Render
    published_at: datetime


_RENDER = TypeAdapter(Render)
_ANNOUNCEMENT = TypeAdapter(Announcement)

Form = TypeVar("Form")

log = logging.getLogger(__name__)


def encode(render: Render) -> str:
    """Return the whole render as JSON, times in ISO 8601."""
    return _RENDER.dump_json(render).decode()


def decode(document: str | bytes) -> Render:
    """Return the render that `encode` made the document of. Fields added since take their defaults."""
    return _RENDER.validate_json(document)


def encode_announcement(announcement: Announcement) -> str:
    """Return the announcement as JSON, times in ISO 8601."""
    return _ANNOUNCEMENT.dump_json(announcement).decode()


def decode_announcement(message: str | bytes) -> Announcement:
    """Return the announcement that `encode_announcement` made the message of."""
    return _ANNOUNCEMENT.validate_json(message)


def to_mapping(render: Render) -> dict[str, Any]:
    """Return what `encode` would write, not yet as text."""
    mapping: dict[str, Any] = _RENDER.dump_python(render, mode="json")
    return mapping


def from_mapping(mapping: Mapping[str, Any]) -> Render:
    """Return the render that `to_mapping` made the mapping of."""
    return _RENDER.validate_python(mapping)


def readable(rows: Iterable[tuple[str, Form]], read: Callable[[Form], Render]) -> list[Render]:
    """Read stored documents given with their ids.

    One that can't be read, as after a step back to an older version, is logged: it must not stop the rest.
    """
    renders = []
    for render_id, document in rows:
        try:
            renders.append(read(document))
        except ValueError as error:
            log.error("the stored document of render %s can't be read: %s", render_id, error)  # noqa: TRY400
    return renders
