"""Webhook messages as documents: JSON where text is stored, mappings where a database stores those."""

from collections.abc import Mapping
from typing import Any

import msgspec

from services.webhooks.messages import WebhookMessage

_TO_JSON = msgspec.json.Encoder()
_MESSAGE = msgspec.json.Decoder(WebhookMessage)


def encode_message(message: WebhookMessage) -> str:
    """Return the whole message as JSON, times in ISO 8601."""
    return _TO_JSON.encode(message).decode()


def decode_message(document: str | bytes) -> WebhookMessage:
    """Return the message that `encode_message` made the document of."""
    return _MESSAGE.decode(document)


def message_to_mapping(message: WebhookMessage) -> dict[str, Any]:
    """Return what `encode_message` would write, not yet as text."""
    mapping: dict[str, Any] = msgspec.to_builtins(message)
    return mapping


def message_from_mapping(mapping: Mapping[str, Any]) -> WebhookMessage:
    """Return the message that `message_to_mapping` made the mapping of."""
    return msgspec.convert(mapping, WebhookMessage)
