"""Stored forms of webhook messages: JSON text, and mappings for document databases."""

from collections.abc import Mapping
from typing import Any

import msgspec

from services.webhooks.messages import WebhookMessage

_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(WebhookMessage)


def encode_message(message: WebhookMessage) -> str:
    """Return the message as JSON, times in ISO 8601."""
    return _ENCODER.encode(message).decode()


def decode_message(document: str | bytes) -> WebhookMessage:
    """Return the message from JSON that `encode_message` returned. Raises `msgspec.DecodeError`."""
    return _DECODER.decode(document)


def message_to_mapping(message: WebhookMessage) -> dict[str, Any]:
    """Return the message as a mapping with the same content as `encode_message`."""
    mapping: dict[str, Any] = msgspec.to_builtins(message)
    return mapping


def message_from_mapping(mapping: Mapping[str, Any]) -> WebhookMessage:
    """Return the message from a mapping that `message_to_mapping` returned. Raises `msgspec.ValidationError`."""
    return msgspec.convert(mapping, WebhookMessage)
