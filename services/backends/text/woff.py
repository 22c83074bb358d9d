"""Unpacks fonts in the format WOFF 1.0 (W3C), which npm packages contain: OpenType with compressed tables."""

import struct
import zlib
from typing import Final

# Pictures in SVG: HarfBuzz doesn't draw them, and in Noto Color Emoji they are three quarters of the size.
_UNUSED: Final = frozenset({b"SVG "})


def unpack_woff(data: bytes) -> bytes:
    """Return the OpenType font in a WOFF file, without the tables that are not used. Raises `ValueError`."""
    if not data.startswith(b"wOFF"):
        raise ValueError("The file is not a WOFF file.")
    try:
        flavor, count = struct.unpack_from(">4x4s4xH", data)
        records = [struct.unpack_from(">4sIII", data, 44 + 20 * number) for number in range(count)]
        tables = {tag: _table(data, *place) for tag, *place in records if tag not in _UNUSED}
    except (struct.error, zlib.error) as error:
        raise ValueError("The WOFF file is damaged.") from error
    return _joined(flavor, tables)


def _table(data: bytes, offset: int, packed: int, size: int) -> bytes:
    content = data[offset : offset + packed]
    return zlib.decompress(content, bufsize=size) if packed < size else content


def _joined(flavor: bytes, tables: dict[bytes, bytes]) -> bytes:
    """Return the font of these tables. Nothing reads their checksums."""
    offset = 12 + 16 * len(tables)
    directory, contents = [flavor, struct.pack(">H6x", len(tables))], []
    for tag, content in sorted(tables.items()):
        directory.append(struct.pack(">4s4xII", tag, offset, len(content)))
        contents.append(content + bytes(-len(content) % 4))
        offset += len(contents[-1])
    return b"".join((*directory, *contents))
