"""Encodes renders as documents: JSON for text columns and messages, mappings for document databases."""

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any, TypeVar

import msgspec

from services.models import Render


class Announcement(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A change as sent between processes: the changed render, and the wall-clock time of publication."""

    render: Render
    published_at: Annotated[datetime, msgspec.Meta(tz=True)]


_TO_JSON = msgspec.json.Encoder()
_RENDER = msgspec.json.Decoder(Render)
_ANNOUNCEMENT = msgspec.json.Decoder(Announcement)

Encoded = TypeVar("Encoded")
Decoded = TypeVar("Decoded")

log = logging.getLogger(__name__)


def encode(render: Render) -> str:
    """Return the render as JSON, times in ISO 8601."""
    return _TO_JSON.encode(render).decode()


def decode(document: str | bytes) -> Render:
    """Return the render from a document of `encode`. Missing fields, from an older version, get their defaults."""
    return _RENDER.decode(document)


def encode_announcement(announcement: Announcement) -> str:
    """Return the announcement as JSON, times in ISO 8601."""
    return _TO_JSON.encode(announcement).decode()


def decode_announcements(messages: Iterable[str]) -> list[Announcement]:
    """Return the announcements from messages of `encode_announcement`. Messages that can't be decoded are logged."""
    announcements = []
    for message in messages:
        try:
            announcements.append(_ANNOUNCEMENT.decode(message))
        except msgspec.DecodeError as error:
            log.error("a message that was published can't be read: %s", error)  # noqa: TRY400
    return announcements


def to_mapping(render: Render) -> dict[str, Any]:
    """Return the render as a mapping of the values that `encode` writes."""
    mapping: dict[str, Any] = msgspec.to_builtins(render)
    return mapping


def from_mapping(mapping: Mapping[str, Any]) -> Render:
    """Return the render from a mapping of `to_mapping`."""
    return msgspec.convert(mapping, Render)


def decode_readable(rows: Iterable[tuple[str, Encoded]], decode_one: Callable[[Encoded], Decoded]) -> list[Decoded]:
    """Decode stored documents, given with their ids.

    A document that can't be decoded, for example after a downgrade, is logged and skipped: it must not block the
    others.
    """
    decoded = []
    for document_id, document in rows:
        try:
            decoded.append(decode_one(document))
        except msgspec.DecodeError as error:
            log.error("the stored document %s can't be read: %s", document_id, error)  # noqa: TRY400
    return decoded
