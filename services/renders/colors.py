"""Parses CSS colours for the API's validation and for the text renderer."""

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tinycss2 import color4

_MAX_LENGTH: Final = 200
_MAX_QUOTED_LENGTH: Final = 40
_MAX_CACHED: Final = 1000  # colours: parsing one takes 15 µs

# The transfer function of sRGB (IEC 61966-2-1) is linear up to these values, in linear and in encoded light.
_LINEAR_KNEE: Final = 0.0031308
_ENCODED_KNEE: Final = 0.04045

Triple = tuple[float, float, float]
_Matrix = tuple[Triple, Triple, Triple]

# CSS Color Module Level 4, section 18 (sample code for colour conversions).
_XYZ_D50_TO_D65: Final[_Matrix] = (
    (0.955473421488075, -0.02309845494876471, 0.06325924320057072),
    (-0.0283697093338637, 1.0099953980813041, 0.021041441191917323),
    (0.012314014864481998, -0.020507649298898964, 1.330365926242124),
)
_XYZ_D65_TO_SRGB: Final[_Matrix] = (
    (3.2409699419045226, -1.537383177570094, -0.4986107602930034),
    (-0.9692436362808796, 1.8759675015077202, 0.04155505740717559),
    (0.05563007969699366, -0.20397695888897652, 1.0569715142428786),
)
_P3_TO_XYZ_D65: Final[_Matrix] = (
    (0.4865709486482162, 0.26566769316909306, 0.1982172852343625),
    (0.2289745640697488, 0.6917385218365064, 0.079286914093745),
    (0.0, 0.04511338185890264, 1.043944368900976),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Color:
    """A colour in sRGB: channels from 0 to 255, opacity from 0 to 1.

    Translucent text is composited over the background. A translucent background is composited over black, since a
    video has nothing behind its background.
    """

    red: int
    green: int
    blue: int
    alpha: float = 1.0

    def over_black(self) -> "Color":
        """Return the opaque colour of this one composited over black."""
        return self.over(Color(red=0, green=0, blue=0))

    def over(self, background: "Color") -> "Color":
        """Return the opaque colour of this one composited over an opaque one, in sRGB."""
        if self.alpha == 1:
            return self
        red, green, blue = (
            round(channel * self.alpha + behind * (1 - self.alpha))
            for channel, behind in zip(self.channels, background.channels, strict=True)
        )
        return Color(red=red, green=green, blue=blue)

    def contrast(self, other: "Color") -> float:
        """Return the contrast ratio of two opaque colours, from 1 to 21 (WCAG 2.2)."""
        darker, lighter = sorted((self.luminance, other.luminance))
        return (lighter + 0.05) / (darker + 0.05)

    @property
    def channels(self) -> tuple[int, int, int]:
        """Red, green and blue."""
        return self.red, self.green, self.blue

    @property
    def luminance(self) -> float:
        """The relative luminance, from 0 for black to 1 for white (WCAG 2.2)."""
        red, green, blue = (_to_linear(channel / 255) for channel in self.channels)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def parse_color(text: str) -> Color:
    """Return the colour of a text in the syntax of CSS Color Module Level 4. Channels outside sRGB are clipped.

    Raises ValueError, with a message for the user, if the text is not a CSS colour, depends on a page (`currentcolor`
    and system colours), or uses an unsupported colour space.
    """
    if len(text) > _MAX_LENGTH:
        raise ValueError(f"Use at most {_MAX_LENGTH} characters for a colour.")
    return _parsed_color(text)


@lru_cache(_MAX_CACHED)
def _parsed_color(text: str) -> Color:
    parsed = _parse(text)
    if parsed is None:
        raise ValueError(f"{_quoted(text)} is not a CSS colour.")
    if isinstance(parsed, str):
        raise ValueError("currentcolor is not supported. Give the colour itself.")  # noqa: TRY004
    return _to_srgb(parsed)


def _parse(text: str) -> "color4.Color | str | None":
    from tinycss2 import color4  # takes 10 ms, and few commands parse colours

    try:
        return color4.parse_color(text)
    except ValueError:  # tinycss2 1.5 unpacks the arguments of `color()` without checking that there are any
        return None


def _to_srgb(parsed: "color4.Color") -> Color:
    try:
        channels = _srgb_channels(parsed)
    except (OverflowError, ZeroDivisionError):
        raise ValueError("The colour's numbers are too large.") from None
    red, green, blue = (_to_byte(channel) for channel in channels)
    return Color(red=red, green=green, blue=blue, alpha=parsed.alpha)


def _srgb_channels(parsed: "color4.Color") -> Triple:
    """Return the gamma-encoded sRGB channels, nominally 0 to 1, not clipped."""
    match parsed.space:
        case "srgb" | "hsl" | "hwb":
            return _triple(parsed.to("srgb"))
        case "srgb-linear":
            return _encoded(_triple(parsed.to("srgb-linear")))
        case "display-p3":
            red, green, blue = _triple(parsed.to("display-p3"))
            linear = (_to_linear(red), _to_linear(green), _to_linear(blue))
            return _from_xyz_d65(_transformed(_P3_TO_XYZ_D65, linear))
        case "lab" | "lch" | "xyz-d50":
            return _from_xyz_d65(_transformed(_XYZ_D50_TO_D65, _triple(parsed.to("xyz-d50"))))
        case "oklab" | "oklch" | "xyz" | "xyz-d65":
            return _from_xyz_d65(_triple(parsed.to("xyz-d65") if parsed.space != "xyz" else parsed))
        case other:
            raise ValueError(f"The colour space {other} is not supported.")


def _triple(parsed: "color4.Color") -> Triple:
    first, second, third = (0.0 if value is None else float(value) for value in parsed.coordinates)
    return first, second, third


def _from_xyz_d65(xyz: Triple) -> Triple:
    return _encoded(_transformed(_XYZ_D65_TO_SRGB, xyz))


def _transformed(matrix: _Matrix, vector: Triple) -> Triple:
    x, y, z = (sum(factor * value for factor, value in zip(row, vector, strict=True)) for row in matrix)
    return x, y, z


def _encoded(linear: Triple) -> Triple:
    red, green, blue = (_to_gamma(channel) for channel in linear)
    return red, green, blue


def _to_gamma(linear: float) -> float:
    """Apply the transfer function of sRGB."""
    return 12.92 * linear if linear <= _LINEAR_KNEE else 1.055 * linear ** (1 / 2.4) - 0.055


def _to_linear(encoded: float) -> float:
    """Apply the inverse transfer function of sRGB, which is also that of Display P3."""
    return encoded / 12.92 if encoded <= _ENCODED_KNEE else ((encoded + 0.055) / 1.055) ** 2.4


def _to_byte(channel: float) -> int:
    if channel != channel:  # noqa: PLR0124  # true only for NaN, which CSS reads as 0
        return 0
    return round(255 * min(1.0, max(0.0, channel)))


def _quoted(text: str) -> str:
    """Return `text` in quotes, truncated, with characters that can't be printed or encoded as UTF-8 replaced."""
    shown = "".join(character if character.isprintable() else "\ufffd" for character in text)
    return f'"{shown}"' if len(shown) <= _MAX_QUOTED_LENGTH else f'"{shown[:_MAX_QUOTED_LENGTH]}…"'
