"""Stored forms of catalogs: JSON text, and mappings for document databases."""

from collections.abc import Mapping
from typing import Any

import msgspec

from services.compositions.ports import MAX_CATALOG_BYTES
from services.errors import StoreUnavailable
from services.models import Catalog

_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Catalog)


def encode_catalog(catalog: Catalog) -> str:
    """Return the catalog as JSON, times in ISO 8601. Raises `StoreUnavailable` if it is too large to be stored."""
    document = _ENCODER.encode(catalog)
    if len(document) > MAX_CATALOG_BYTES:
        raise StoreUnavailable(
            f"the catalog of {catalog.site} has {len(document):,} bytes; the limit is {MAX_CATALOG_BYTES:,} bytes"
        )
    return document.decode()


def decode_catalog(document: str | bytes) -> Catalog:
    """Return the catalog from JSON that `encode_catalog` returned. Raises `msgspec.DecodeError`."""
    return _DECODER.decode(document)


def catalog_to_mapping(catalog: Catalog) -> dict[str, Any]:
    """Return the catalog as a mapping with the same content as `encode_catalog`, and raise the same error."""
    mapping: dict[str, Any] = msgspec.json.decode(encode_catalog(catalog))
    return mapping


def catalog_from_mapping(mapping: Mapping[str, Any]) -> Catalog:
    """Return the catalog from a mapping that `catalog_to_mapping` returned. Raises `msgspec.ValidationError`."""
    return msgspec.convert(mapping, Catalog)
