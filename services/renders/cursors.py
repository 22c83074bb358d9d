"""Where a list of renders goes on: the id of the last render seen, with a checksum over the list's owner.

The checksum finds cursors that were mistyped, cut or taken from another list. It protects nothing: the store only
ever lists the renders of one owner, or of everybody (None) to whom may see them.
"""

import base64
import binascii
import hashlib

from services.errors import InvalidArgument
from services.ids import is_render_id

CHECKSUM_BYTES = 6


def encode_cursor(render_id: str, *, owner: str | None) -> str:
    """Return the cursor of a render in the list of its owner."""
    return base64.urlsafe_b64encode(_checksum(render_id, owner) + render_id.encode()).decode().rstrip("=")


def decode_cursor(cursor: str, *, owner: str | None) -> str:
    """Return the render id that a cursor of the owner's list stands for. Raises `InvalidArgument`."""
    try:
        # b64decode skips characters outside the alphabet, so the round trip below checks the whole text.
        raw = base64.urlsafe_b64decode(cursor.encode() + b"==")
        render_id = raw[CHECKSUM_BYTES:].decode()
    except (binascii.Error, UnicodeError):
        render_id = ""
    if not is_render_id(render_id) or encode_cursor(render_id, owner=owner) != cursor:
        raise InvalidArgument("after", "`after` must be a cursor from this same list; start without it.")
    return render_id


def _checksum(render_id: str, owner: str | None) -> bytes:
    return hashlib.sha256(f"{owner or ''}\n{render_id}".encode()).digest()[:CHECKSUM_BYTES]
