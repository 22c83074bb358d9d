"""Names of types and constants, from ids of compositions, names of props and names of definitions.

A name has ASCII letters and digits only, in a form that json-schema-to-typescript and datamodel-code-generator keep.
"""

import re
import string
from collections.abc import Container

MAX_LENGTH = 80  # of the part before a number; nested objects have the names of all props above them
_PLAIN = frozenset(string.ascii_letters + string.digits)
# Names that the generated files use for something else. Python's keywords that are in this form are among them.
RESERVED = frozenset(
    {
        *(
            "Any",
            "Composition",
            "CompositionProps",
            "Compositions",
            "False",
            "Literal",
            "Mapping",
            "None",
            "NotRequired",
        ),
        *("Optional", "True", "TypeAlias", "TypedDict", "Union"),
    }
)


def type_name(text: str) -> str:
    """Return the text in upper camel case, such as `MyVideo2` for `my-video-2`; empty if nothing is left of it."""
    joined = "".join(part[0].upper() + part[1:] for part in _words(text))
    return re.sub(r"[0-9][a-z]", lambda found: found[0].upper(), joined)


def constant_name(text: str) -> str:
    """Return the text in upper case, such as `MY_VIDEO_2` for `my-video-2` and for `myVideo2`."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z0-9])|(?<=[A-Z])(?=[A-Z][a-z])", " ", text)
    return "_".join(_words(spaced)).upper()


def _words(text: str) -> list[str]:
    """Return the words. Letters that are not ASCII, as Chinese ids have, are written as `U` and their code point."""
    return "".join(char if char in _PLAIN else f" U{ord(char):X} " if char.isalnum() else " " for char in text).split()


class Names:
    """The names of one file. Each is used once."""

    def __init__(self, reserved: Container[str] = RESERVED) -> None:
        self._reserved = reserved
        self._used: set[str] = set()

    def take(self, wanted: str, *, fallback: str) -> str:
        """Return the wanted name, with a number if it is used or reserved, after the fallback if it is not a name."""
        name = wanted if wanted[:1].isalpha() else f"{fallback}{wanted}"
        name = name[:MAX_LENGTH]
        number = 1
        candidate = name
        while candidate in self._used or candidate in self._reserved:
            number += 1
            candidate = f"{name}_{number}" if name.isupper() else f"{name}{number}"
        self._used.add(candidate)
        return candidate
