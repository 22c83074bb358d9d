"""Renders as documents: JSON where text is kept or sent, mappings where a database keeps those."""

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any, TypeVar

import msgspec

from services.models import Render


class Announcement(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A change as it is sent from process to process: the changed render, and when it was published by wall clock."""

    render: Render
    published_at: Annotated[datetime, msgspec.Meta(tz=True)]


_TO_JSON = msgspec.json.Encoder()
_RENDER = msgspec.json.Decoder(Render)
_ANNOUNCEMENT = msgspec.json.Decoder(Announcement)

Form = TypeVar("Form")
Kept = TypeVar("Kept")

log = logging.getLogger(__name__)


def encode(render: Render) -> str:
    """Return the whole render as JSON, times in ISO 8601."""
    return _TO_JSON.encode(render).decode()


def decode(document: str | bytes) -> Render:
    """Return the render that `encode` made the document of. Fields added since take their defaults."""
    return _RENDER.decode(document)


def encode_announcement(announcement: Announcement) -> str:
    """Return the announcement as JSON, times in ISO 8601."""
    return _TO_JSON.encode(announcement).decode()


def decode_announcements(messages: Iterable[str]) -> list[Announcement]:
    """Return the announcements that `encode_announcement` made the messages of; any other message is logged."""
    announcements = []
    for message in messages:
        try:
            announcements.append(_ANNOUNCEMENT.decode(message))
        except msgspec.DecodeError as error:
            log.error("a message that was published can't be read: %s", error)  # noqa: TRY400
    return announcements


def to_mapping(render: Render) -> dict[str, Any]:
    """Return what `encode` would write, not yet as text."""
    mapping: dict[str, Any] = msgspec.to_builtins(render)
    return mapping


def from_mapping(mapping: Mapping[str, Any]) -> Render:
    """Return the render that `to_mapping` made the mapping of."""
    return msgspec.convert(mapping, Render)


def readable(rows: Iterable[tuple[str, Form]], read: Callable[[Form], Kept]) -> list[Kept]:
    """Read stored documents given with their ids.

    One that can't be read, as after a step back to an older version, is logged: it must not stop the rest.
    """
    read_ones = []
    for document_id, document in rows:
        try:
            read_ones.append(read(document))
        except msgspec.DecodeError as error:
            log.error("the stored document %s can't be read: %s", document_id, error)  # noqa: TRY400
    return read_ones
