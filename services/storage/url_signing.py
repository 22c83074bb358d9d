"""Signs URLs of files on this server, which expire and are verified without stored state."""

import contextlib
import hmac
import json
import os
import secrets
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

KEY_FILE = "download-key"  # in the data folder
KEY_BYTES = 32


class DownloadSigner:
    """Signs with HMAC-SHA256. The key is only stored in the data folder."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    @classmethod
    def from_file(cls, path: Path) -> "DownloadSigner":
        """Read the key file; the first call creates it, readable by its owner only. Raises `OSError`."""
        return cls(read_key(path))

    def sign(self, name: str, expires_at: datetime, *, file_name: str | None = None) -> str:
        """Return `name` with a query that `verify` accepts until `expires_at`, to the second.

        The query includes `file_name`, the name under which browsers save the file.
        """
        expires = str(int(expires_at.timestamp()))
        query = f"expires={expires}&signature={self._signature(name, expires, file_name)}"
        return f"{name}?{query}" if file_name is None else f"{name}?{query}&name={quote(file_name, safe='')}"

    def verify(self, name: str, *, expires: str, signature: str, now: datetime, file_name: str | None = None) -> bool:
        """Return whether this key signed `name`, `expires` and `file_name`, and the time `expires` is in the future."""
        expected = self._signature(name, expires, file_name)
        if not hmac.compare_digest(expected.encode(), signature.encode(errors="replace")):
            return False
        return now < datetime.fromtimestamp(int(expires), UTC)

    def _signature(self, name: str, expires: str, file_name: str | None) -> str:
        # The names of stored files contain neither line breaks nor brackets, so neither text equals one of other parts.
        text = f"{name}\n{expires}" if file_name is None else json.dumps([name, expires, file_name])
        return hmac.digest(self._key, text.encode(errors="replace"), "sha256").hex()


def read_key(path: Path) -> bytes:
    """Return the content of a key file; the first call creates it, readable by its owner only. Raises `OSError`."""
    if not path.exists():
        _create_private_file(path, secrets.token_bytes(KEY_BYTES))
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise OSError(f"{path.name} is not a key of {KEY_BYTES} bytes; delete it and a new one is created")
    return key


def _create_private_file(path: Path, content: bytes) -> None:
    """Create the file atomically, readable by its owner only; the first of several processes wins."""
    unfinished = path.with_suffix(f".{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(unfinished)
    finally:
        unfinished.unlink(missing_ok=True)
