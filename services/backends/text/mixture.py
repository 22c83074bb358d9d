"""How text is mixed with its background: both colours are constant over a picture, so coverage alone decides."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from services.renders.colors import Color

Shares = npt.NDArray[np.float64]

_COVERAGE: Final = np.arange(256) / 255


@dataclass(frozen=True, slots=True)
class Mixture:
    """What each coverage from 0 to 255 shows: the text's share of the colour, and the opacity, both 0 to 1.

    The colour is not premultiplied with the opacity ("straight alpha"), as all formats with transparency store it.
    """

    share: Shares
    alpha: Shares


@dataclass(frozen=True, slots=True, kw_only=True)
class Colors:
    """The colours of the text and of the background; each may be translucent."""

    text: Color
    background: Color

    def over_black(self) -> "Colors":
        """Return the colours for a picture without transparency."""
        return Colors(text=self.text, background=self.background.over_black())

    def mixture(self, opacity: float) -> Mixture:
        """Return the mixture when the text has this opacity besides its own.

        Blending is in sRGB as in browsers (Compositing and Blending Level 1, section 5.1). Without a background the
        text's colour fills the picture, so that it does not bleed when a player scales it.
        """
        text = _COVERAGE * (opacity * self.text.alpha)
        if self.background.alpha == 1:
            return Mixture(text, np.ones(256))
        alpha = text + self.background.alpha * (1 - text)
        return Mixture(np.divide(text, alpha, out=np.ones(256), where=alpha > 0), alpha)
