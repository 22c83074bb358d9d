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
    """Return the render from JSON that `encode` returned. Raises `msgspec.DecodeError`.

    Fields that an older version did not write get their defaults.
    """
    return _RENDER.decode(document)


def encode_announcement(announcement: Announcement) -> str:
    """Return the announcement as JSON, times in ISO 8601."""
    return _TO_JSON.encode(announcement).decode()


def decode_announcements(messages: Iterable[str]) -> list[Announcement]:
    """Return the announcements from JSON that `encode_announcement` returned. Other messages are logged and skipped."""
    announcements = []
    for message in messages:
        try:
            announcements.append(_ANNOUNCEMENT.decode(message))
        except msgspec.DecodeError as error:
            log.error("a published message can't be decoded: %s", error)  # noqa: TRY400
    return announcements


def to_mapping(render: Render) -> dict[str, Any]:
    """Return the render as a mapping with the same content as `encode`."""
    mapping: dict[str, Any] = msgspec.to_builtins(render)
    return mapping


def from_mapping(mapping: Mapping[str, Any]) -> Render:
    """Return the render from a mapping that `to_mapping` returned. Raises `msgspec.ValidationError`."""
    return msgspec.convert(mapping, Render)


def decode_readable(rows: Iterable[tuple[str, Encoded]], decode_one: Callable[[Encoded], Decoded]) -> list[Decoded]:
    """Return the decoded documents of these rows, each of an id and a document.

    A document that can't be decoded, for example after a downgrade, is logged and skipped: it must not block the
    others.
    """
    decoded = []
    for document_id, document in rows:
        try:
            decoded.append(decode_one(document))
        except msgspec.DecodeError as error:
            log.error("the stored document %s can't be decoded: %s", document_id, error)  # noqa: TRY400
    return decoded
