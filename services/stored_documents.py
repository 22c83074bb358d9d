"""Encodes renders as documents: JSON for text columns and messages, mappings for document databases.

Each stored document has a schema version. A version is readable by all later ones: fields that it does not have get
their defaults, fields that were removed are ignored, and the document gets the current version when it is next
written. A document of a later version is never decoded, since a rewrite would lose the fields that it has added.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any, TypeVar

import msgspec

from services.errors import StoreUnavailable
from services.models import Render


class Announcement(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A change as sent between processes: the changed render, and the wall-clock time of publication.

    If `is_deleted`, the render was deleted after its last change. Processes older than this field ignore the message:
    they take it for the last change again.
    """

    render: Render
    published_at: Annotated[datetime, msgspec.Meta(tz=True)]
    is_deleted: bool = False


_TO_JSON = msgspec.json.Encoder()
_RENDER = msgspec.json.Decoder(Render)
_ANNOUNCEMENT = msgspec.json.Decoder(Announcement)

SCHEMA_VERSION = 4  # of all stored documents; raise it with any change of their fields
MAX_REMEMBERED = 10_000  # skipped documents; further ones are neither logged nor counted

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


class SkippedDocuments:
    """The stored documents that a process skips because it can't read them. Each is logged and counted once."""

    def __init__(self) -> None:
        self._ids: set[str] = set()

    @property
    def count(self) -> int:
        """The number of different documents skipped so far."""
        return len(self._ids)

    def add(self, document_id: str, reason: str) -> None:
        """Log and count a document, unless that was done before. `reason` continues the sentence."""
        if document_id not in self._ids and len(self._ids) < MAX_REMEMBERED:
            self._ids.add(document_id)
            log.error("The stored document %s %s; it is skipped and not changed.", document_id, reason)

    def decode(
        self, rows: Iterable[tuple[str, Encoded]], decode_one: Callable[[Encoded], Decoded]
    ) -> Iterator[Decoded]:
        """Yield the decoded documents of these rows, each of an id and a document, without those that can't be decoded.

        They must not block the others.
        """
        for document_id, document in rows:
            try:
                decoded = decode_one(document)
            except (msgspec.DecodeError, UnicodeError) as error:
                self.add(document_id, f"can't be decoded ({error})")
            else:
                yield decoded

    def decode_one(self, document_id: str, document: Encoded, decode: Callable[[Encoded], Decoded]) -> Decoded:
        """Return the decoded document. Raises `StoreUnavailable` if it can't be decoded."""
        for decoded in self.decode([(document_id, document)], decode):
            return decoded
        raise StoreUnavailable(f"this version can't read the stored document {document_id}")
