"""Pagination cursors: the id of a render, with a checksum over the id and the list's owner.

The checksum detects cursors that were mistyped, truncated or taken from another list. It is not a security measure: the
store lists only the renders of one owner, or of all users (owner None) for operators.
"""

import base64
import binascii
import hashlib

from services.errors import InvalidArgument
from services.ids import is_render_id

CHECKSUM_BYTES = 6


def encode_cursor(render_id: str, *, owner: str | None) -> str:
    """Return the cursor of a render in the owner's list."""
    return base64.urlsafe_b64encode(_checksum(render_id, owner) + render_id.encode()).decode().rstrip("=")


def decode_cursor(cursor: str, *, owner: str | None, argument: str) -> str:
    """Return the render id of a cursor in the owner's list. Raises `InvalidArgument` that names `argument`."""
    try:
        # b64decode skips characters outside the alphabet; the round trip below detects them.
        raw = base64.urlsafe_b64decode(cursor.encode() + b"==")
        render_id = raw[CHECKSUM_BYTES:].decode()
    except (binascii.Error, UnicodeError):
        render_id = ""
    if not is_render_id(render_id) or encode_cursor(render_id, owner=owner) != cursor:
        raise InvalidArgument(argument, f"`{argument}` must be a cursor of the same list. Omit it for the whole list.")
    return render_id


def _checksum(render_id: str, owner: str | None) -> bytes:
    return hashlib.sha256(f"{owner or ''}\n{render_id}".encode()).digest()[:CHECKSUM_BYTES]
