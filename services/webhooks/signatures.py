"""Signed headers of webhook requests (Standard Webhooks 1.0.0, "Signature scheme")."""

import base64
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime


def signed_headers(message_id: str, body: bytes, *, secrets: Sequence[bytes], now: datetime) -> Mapping[str, str]:
    """Return the headers of an attempt at the time `now`, with one signature for each secret."""
    timestamp = str(int(now.timestamp()))
    signed_content = b".".join((message_id.encode(), timestamp.encode(), body))
    return {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(_signature(secret, signed_content) for secret in secrets),
    }


def _signature(secret: bytes, content: bytes) -> str:
    return "v1," + base64.b64encode(hmac.digest(secret, content, "sha256")).decode()
