"""Fonts of tests/data/fonts.

`NotoColorEmoji-subset.ttf` has some emoji of Noto Color Emoji in vectors (COLR version 1). HarfBuzz's subsetter made it
from npm's @fontsource/noto-color-emoji 5.3.2; OFL.txt is its licence. `BitmapEmoji.ttf` has one emoji as a bitmap
(sbix), whose left half is red and whose right half is blue.
"""

from pathlib import Path

from services.backends.text.font_families import Families, FontFace, installed_families, with_faces

FOLDER = Path(__file__).parents[1] / "data" / "fonts"
COLOR_EMOJI = FontFace(family="Noto Color Emoji", path=str(FOLDER / "NotoColorEmoji-subset.ttf"), has_color=True)
BITMAP_EMOJI = FontFace(family="Bitmap Emoji", path=str(FOLDER / "BitmapEmoji.ttf"), has_color=True)
THUMBS = ("👍", "👍🏻", "👍🏼", "👍🏽", "👍🏾", "👍🏿")


def families_with(*faces: FontFace) -> Families:
    """Return the installed families and those of these faces."""
    return with_faces(installed_families(), faces)
