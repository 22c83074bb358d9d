"""The messages that the function sends when a render has ended. Each is a hint to look; what is stored decides."""

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
MAX_BODY_BYTES = 64 * 1024  # dozens of errors with their stacks; one that tells of more is a hint that is lost


class _CustomData(BaseModel):
    render: str


class _Body(BaseModel):
    customData: _CustomData  # noqa: N815  # the sender's name


def ask_for_webhook(base_url: str, secret: str, render_id: str) -> Webhook:
    """Return what a start says so that its end is told to this deployment."""
    return Webhook(url=base_url + PATH, secret=secret, custom_data={"render": render_id})


def is_genuine(body: bytes, signature: str, secret: str) -> bool:
    """Return whether the body was signed with the secret. Takes the same time whatever is wrong."""
    expected = "sha512=" + hmac.new(secret.encode(), body, hashlib.sha512).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.encode())


def render_told_of(body: bytes) -> str | None:
    """Return the id of our render that a genuine message is about; None if it is about none."""
    try:
        render_id = _Body.model_validate(json.loads(body)).customData.render
    except (ValidationError, ValueError, RecursionError):
        return None
    return render_id if is_render_id(render_id) else None
