"""Warnings for the render's owner: one for each difference between what was requested and what is drawn."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from services.backends.text.characters import is_invisible
from services.backends.text.fonts import FontStack
from services.backends.text.mixture import Colors

_MAX_LISTED: Final = 5  # characters named in a warning
_MIN_CONTRAST: Final = 1.5  # text below it can hardly be seen; for easy reading WCAG 2.2 requires at least 3


def family_replaced(requested: str, used: str) -> str:
    """Return the warning about a family that is not installed."""
    return f"The font family {requested} is not installed; {used} was used instead."


def font_warnings(fonts: FontStack, *, weight: int, italic: bool) -> Iterator[str]:
    """Return the warnings about a weight and slope that the family doesn't have, and about glyphs that no font has."""
    face = fonts.face
    if face.nearest_weight(weight) != weight:
        yield f"{face.family} has no weight {weight}; {face.nearest_weight(weight)} was used instead."
    if face.italic != italic:
        has = "only italics; the italic" if face.italic else "no italic; the upright"
        yield f"{face.family} has {has} font was used instead."
    if fonts.outlined_emoji:
        yield f"Emoji are drawn in outline, as no font with colour emoji is installed: {_listed(fonts.outlined_emoji)}."
    if fonts.missing:
        names = [f"{grapheme} ({_codes(grapheme)})" for grapheme in fonts.missing]
        yield f"No installed font has a glyph for {_listed(names)}; boxes are shown instead."


def characters_replaced(plain: Mapping[str, str]) -> str:
    """Return the warning about characters of which only the plain (NFKC) form could be drawn."""
    names = [f"{grapheme} as {form}" for grapheme, form in plain.items()]
    return f"No installed font has some characters; they are drawn in their plain form: {_listed(names)}."


def size_warnings(requested: float, used: float, *, is_cut: bool) -> Iterator[str]:
    """Return the warnings about a text that doesn't fit at its font size, or not at all."""
    if is_cut:
        yield "The text does not fit the frame even at the minimum font size; its end is omitted."
    if used < requested:
        yield f"The font size was reduced from {requested:g} to {used:.1f} pixels so that the text fits the frame."


def contrast_warnings(colors: Colors) -> Iterator[str]:
    """Return the warning about text that can hardly be seen on its background, which is drawn over black."""
    background = colors.background.over_black()
    contrast = colors.text.over(background).contrast(background)
    if contrast < _MIN_CONTRAST:
        yield f"The text can hardly be seen: its contrast with the background is {contrast:.2f} to 1."


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MAX_LISTED} more" if len(names) > _MAX_LISTED else ""
    return ", ".join(names[:_MAX_LISTED]) + more


def _codes(grapheme: str) -> str:
    return " ".join(f"U+{ord(character):04X}" for character in grapheme if not is_invisible(character))
