"""Converts sRGB to Y'CbCr as it is stored in videos and in JPEG files."""

from dataclasses import dataclass
from typing import Final, NamedTuple

from services.renders.colors import Color


class YCbCr(NamedTuple):
    """Luma and both chroma components on the scale of 8 bits, with neutral chroma at 128; not rounded."""

    y: float
    cb: float
    cr: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Coding:
    """A matrix and a range: luma of `red` and `blue`, and what black and the ranges of the components are in 8 bits.

    `matrix` is its code point in ITU-T H.273, table 4. sRGB values are used unchanged.
    """

    matrix: int
    red: float
    blue: float
    black: int
    luma_range: int
    chroma_range: int

    def encode(self, color: Color) -> YCbCr:
        """Convert a colour; its opacity is ignored."""
        red, green, blue = color.red / 255, color.green / 255, color.blue / 255
        luma = self.red * red + (1 - self.red - self.blue) * green + self.blue * blue
        return YCbCr(
            self.black + self.luma_range * luma,
            128 + self.chroma_range * (blue - luma) / (2 * (1 - self.blue)),
            128 + self.chroma_range * (red - luma) / (2 * (1 - self.red)),
        )

    @property
    def weights(self) -> tuple[tuple[float, float, float, float], ...]:
        """For each component, the weights of red, green and blue, 0 to 255, in its value, and its value for black."""
        black = self.encode(Color(red=0, green=0, blue=0))
        full = (Color(red=255, green=0, blue=0), Color(red=0, green=255, blue=0), Color(red=0, green=0, blue=255))
        red, green, blue = (self.encode(color) for color in full)
        return tuple(
            ((r - base) / 255, (g - base) / 255, (b - base) / 255, base)
            for r, g, b, base in zip(red, green, blue, black, strict=True)
        )


# ITU-R BT.709-6, items 3.2 to 3.4, and ITU-R BT.601-7, section 2.5: limited range.
BT709: Final = Coding(matrix=1, red=0.2126, blue=0.0722, black=16, luma_range=219, chroma_range=224)
BT601: Final = Coding(matrix=5, red=0.299, blue=0.114, black=16, luma_range=219, chroma_range=224)
JFIF: Final = Coding(matrix=5, red=0.299, blue=0.114, black=0, luma_range=255, chroma_range=255)  # ITU-T T.871, 7
