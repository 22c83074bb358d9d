"""Render ids: 26 characters of Crockford's base 32 that sort by time, with the layout of the ULID specification.

48 bits of Unix milliseconds, then 80 random bits (https://github.com/ulid/spec).
"""

import re
import secrets
from datetime import UTC, datetime

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
TIME_LENGTH = 10  # characters with the time of creation
RENDER_ID = re.compile(r"[0-7][0-9a-hjkmnp-tv-z]{25}")


def new_render_id(now: datetime) -> str:
    """Return a unique id that sorts after all ids created in an earlier millisecond."""
    number = int(now.timestamp() * 1000) << 80 | secrets.randbits(80)
    return "".join(ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))


def time_of(render_id: str) -> datetime:
    """Return the time of an id's creation, to the millisecond."""
    number = 0
    for letter in render_id[:TIME_LENGTH]:
        number = number << 5 | ALPHABET.index(letter)
    return datetime.fromtimestamp(number / 1000, UTC)


def is_render_id(text: str) -> bool:
    """Return whether `text` has the format of a render id. No render has any other id."""
    return RENDER_ID.fullmatch(text) is not None
