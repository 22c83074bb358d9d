"""Webhooks that Remotion's function sends when a render ends. They only trigger a poll of the stored files."""

import hashlib
import hmac
import json
import re

from pydantic import BaseModel, ValidationError

from services.backends.remotion_lambda.payloads import Webhook
from services.ids import is_render_id

PATH = "/webhooks/remotion"
SIGNATURE_HEADER = "X-Remotion-Signature"
SIGNATURE = re.compile("sha512=[0-9a-f]{128}")
MAX_BODY_BYTES = 64 * 1024  # dozens of errors with stacks; after a larger, rejected message, polling finds the end


class _CustomData(BaseModel):
    render: str


class _Body(BaseModel):
    customData: _CustomData  # noqa: N815  # the sender's name


def webhook_request(base_url: str, secret: str, render_id: str) -> Webhook:
    """Return the webhook part of a start payload, which makes the function notify this deployment of the end."""
    return Webhook(url=base_url + PATH, secret=secret, custom_data={"render": render_id})


def has_valid_signature(body: bytes, signature: str, secret: str) -> bool:
    """Return whether the body was signed with the secret. Runs in constant time."""
    expected = "sha512=" + hmac.new(secret.encode(), body, hashlib.sha512).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.encode())


def parse_render_id(body: bytes) -> str | None:
    """Return Rendercast's id of the render that a verified message is about; None if it has no valid id."""
    try:
        render_id = _Body.model_validate(json.loads(body)).customData.render
    except (ValidationError, ValueError, RecursionError):
        return None
    return render_id if is_render_id(render_id) else None
