"""Font families as clients see them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FontFamily:
    """A family that the text renderer can draw with.

    `weights` are 100 to 900, in ascending order: those of static fonts, and for variable fonts the hundreds in their
    range. `scripts` are ISO 15924 codes.
    """

    family: str
    weights: tuple[int, ...]
    italic: bool
    scripts: tuple[str, ...]
