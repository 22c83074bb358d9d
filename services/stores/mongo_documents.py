"""The documents of the collection `renders`, which documents this version can read, and query conditions."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from services import stored_documents
from services.errors import StoreUnavailable
from services.models import TEXT_ANIMATION, Render, RenderFilter
from services.renders.lifecycle import ACTIVE
from services.stored_documents import SkippedDocuments
from services.stores.mongo_connection import Document

Decoded = TypeVar("Decoded")

UNFINISHED = sorted(status.value for status in ACTIVE)
# The condition of each write: a document of a newer version is not changed.
READABLE_VERSIONS = list(range(1, stored_documents.SCHEMA_VERSION + 1))
NEWER = "was written by a newer version of Rendercast"
IS_RENDER: Document = {"owner": {"$gte": ""}}  # not an entry of a quota without a render
READABLE: Document = {"schema": {"$in": READABLE_VERSIONS}}


def render_document(render: Render) -> Document:
    """Return the document of a render without `_id`: the fields for queries and indexes, and the whole render."""
    document: Document = {
        "schema": stored_documents.SCHEMA_VERSION,
        "owner": render.owner,
        "revision": render.revision,
        "status": render.status.value,
        "render": stored_documents.to_mapping(render),
    }
    optional = {
        "generation_id": render.generation_id,
        "batch_id": render.batch_id,
        "key": owner_key(render),
        "ended_at": render.completed_at,
    }
    return document | {name: value for name, value in optional.items() if value is not None}


def owner_key(render: Render) -> str | None:
    """Return the owner and the idempotency key as one value for a sparse unique index; None without a key."""
    return None if render.idempotency_key is None else key_of(render.owner, render.idempotency_key)


def key_of(owner: str, idempotency_key: str) -> str:
    """Return the value of the unique index for an owner's idempotency key."""
    return f"{owner}\n{idempotency_key}"


def filter_conditions(owner: str | None, matching: RenderFilter) -> Document:
    """Return the query conditions of a filter; all owners if `owner` is None."""
    conditions: Document = {} if owner is None else {"owner": owner}
    if owner is None and matching.statuses is None:
        conditions |= IS_RENDER
    if matching.statuses is not None:
        conditions["status"] = {"$in": [status.value for status in matching.statuses]}
    if matching.generation_id is not None:
        conditions["generation_id"] = matching.generation_id
    if matching.batch_id is not None:
        conditions["batch_id"] = matching.batch_id
    if matching.composition_id is not None:
        conditions["render.composition_id"] = _composition(matching.composition_id)
    return conditions


def _composition(composition_id: str) -> str | Document:
    """Return the condition of a composition. Documents before version 3 have none: all are text animations."""
    return {"$in": [composition_id, None]} if composition_id == TEXT_ANIMATION else composition_id


def is_readable(document: Mapping[str, Any]) -> bool:
    """Return False for a document of a newer version of Rendercast."""
    return document.get("schema") in READABLE_VERSIONS


def require_readable(document: Mapping[str, Any]) -> None:
    """Raise `StoreUnavailable` for a document of a newer version of Rendercast."""
    if not is_readable(document):
        raise StoreUnavailable(f"the document {document['_id']} {NEWER}")


def readable(
    found: Iterable[Mapping[str, Any]],
    field: str,
    decode_one: Callable[[Any], Decoded],
    skipped: SkippedDocuments,
) -> list[Decoded]:
    """Return what the field of each document contains, without documents that this version can't read."""
    known = []
    for document in found:
        if is_readable(document):
            known.append((document["_id"], document.get(field)))
        else:
            skipped.add(document["_id"], NEWER)
    return list(skipped.decode(known, decode_one))


class RenderReader:
    """Reads renders from documents."""

    def __init__(self, skipped: SkippedDocuments) -> None:
        self._skipped = skipped

    def many(self, found: Iterable[Mapping[str, Any]]) -> list[Render]:
        """Return the renders of these documents, without those that this version can't read."""
        return readable(found, "render", stored_documents.from_mapping, self._skipped)

    def one(self, found: Mapping[str, Any]) -> Render:
        """Return the render of a document. Raises `StoreUnavailable` if this version can't read it."""
        if renders := self.many([found]):
            return renders[0]
        raise StoreUnavailable(f"this version can't read the stored document {found['_id']}")
