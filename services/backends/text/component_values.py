"""The values of a picture's components: for each coverage of the text, and for pixels that are drawn over it."""

from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from services.backends.text.mixture import Mixture

Pixels = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
Plane = npt.NDArray[np.float32]

_MAX_BYTE: Final = 255


class Overlay(NamedTuple):
    """Pixels to draw over a picture: their colours in sRGB, 0 to 255 and premultiplied, and their opacity, 0 to 1.

    `below` is the opacity of the picture before. `left` and `top` are the place in the frame of the first pixel.
    """

    red: Plane
    green: Plane
    blue: Plane
    alpha: Plane
    below: Plane
    left: int
    top: int

    def cropped(self, height: int, width: int) -> "Overlay":
        """Return the upper left part of this size, in pixels."""
        red, green, blue, alpha, below = (plane[:height, :width] for plane in self[:5])
        return Overlay(red, green, blue, alpha, below, self.left, self.top)

    @property
    def kept(self) -> Plane:
        """How much of the picture is still seen: its share of the result, which is not divided by `total`."""
        return self.below * (1 - self.alpha)

    @property
    def total(self) -> Plane:
        """The opacity of the result."""
        return self.alpha + self.kept


class Table(Protocol):
    """The values of a component for each coverage from 0 to 255, and of pixels that are drawn over it."""

    def values(self, mixture: Mixture) -> Pixels:
        """Return 256 values, of the component's type."""
        ...

    def drawn_over(self, pixels: Pixels, overlay: Overlay) -> Pixels:
        """Return the values after drawing the overlay, of the same size, over these."""
        ...


@dataclass(frozen=True, slots=True)
class ColorTable:
    """A component of the colour: its value in the background and in the text, at most `highest`.

    `weights` are those of red, green and blue, 0 to 255, in its value, and its value for black.
    """

    start: float
    end: float
    weights: tuple[float, float, float, float]
    highest: int = _MAX_BYTE

    def values(self, mixture: Mixture) -> Pixels:
        """Return the mixed values, rounded."""
        return rounded(self.start + (self.end - self.start) * mixture.share, self.highest)

    def drawn_over(self, pixels: Pixels, overlay: Overlay) -> Pixels:
        """Return the values, in which the picture's alone are not premultiplied."""
        parts = (overlay.red, overlay.green, overlay.blue, overlay.alpha)
        added = sum(np.float32(weight) * part for weight, part in zip(self.weights, parts, strict=True))
        mixed = pixels.astype(np.float32)
        total = overlay.total
        np.divide(added + mixed * overlay.kept, total, out=mixed, where=total > 0)
        return rounded(mixed, self.highest)


@dataclass(frozen=True, slots=True)
class AlphaTable:
    """The opacity, from 0 to `highest`."""

    highest: int = _MAX_BYTE

    def values(self, mixture: Mixture) -> Pixels:
        """Return the opacities, rounded."""
        return rounded(mixture.alpha * self.highest, self.highest)

    def drawn_over(self, pixels: Pixels, overlay: Overlay) -> Pixels:  # noqa: ARG002  # they are `overlay.below`
        """Return the opacities."""
        return rounded(overlay.total * self.highest, self.highest)


def rounded(values: npt.NDArray[Any], highest: int) -> Pixels:
    """Return the values rounded to whole numbers from 0 to `highest`, which decides their type."""
    kept: npt.NDArray[Any] = np.rint(np.clip(values, 0, highest))
    return kept.astype(np.uint8) if highest <= _MAX_BYTE else kept.astype("<u2")
