"""Converts sRGB to 8-bit Y'CbCr as televisions and browsers expect it: BT.709, limited range."""

from typing import NamedTuple

from services.renders.colors import Color


class YCbCr(NamedTuple):
    """Luma from 16 to 235, both chroma components from 16 to 240, neutral at 128; not rounded."""

    y: float
    cb: float
    cr: float


def to_ycbcr(color: Color) -> YCbCr:
    """Convert an opaque colour (ITU-R BT.709-6, items 3.2 to 3.4; sRGB values are used unchanged)."""
    red, green, blue = color.red / 255, color.green / 255, color.blue / 255
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return YCbCr(16 + 219 * luma, 128 + 224 * (blue - luma) / 1.8556, 128 + 224 * (red - luma) / 1.5748)
