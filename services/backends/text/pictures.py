"""Pictures in the memory of a libav frame, which encoders read: the values of each component of the pixels."""

from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol, cast

import av
import numpy as np
import numpy.typing as npt
from av.video.plane import VideoPlane

from services.backends.text.harfbuzz import Box, Coverage
from services.backends.text.mixture import Colors, Mixture
from services.backends.text.ycbcr import Coding

Pixels = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]

MIXED_COLORS: Final = 255  # of a GIF: more would not be exacter, as a channel of two colours differs by 255 at most
_TRANSPARENT_INDEX: Final = MIXED_COLORS
_OPAQUE_FROM: Final = 0.5

_BYTE: Final = 8  # bits
_MAX_BYTE: Final = 255


class Sampling(NamedTuple):
    """How many columns and rows of pixels share one value."""

    columns: int
    rows: int


FULL: Final = Sampling(1, 1)


class Table(Protocol):
    """Returns a component's value for each coverage from 0 to 255."""

    def values(self, mixture: Mixture) -> Pixels:
        """Return 256 values, of the component's type."""
        ...


@dataclass(frozen=True, slots=True)
class ColorTable:
    """A component of the colour: its value in the background and in the text, at most `highest`."""

    start: float
    end: float
    highest: int = _MAX_BYTE

    def values(self, mixture: Mixture) -> Pixels:
        """Return the mixed values, rounded."""
        return _rounded(self.start + (self.end - self.start) * mixture.share, self.highest)


@dataclass(frozen=True, slots=True)
class AlphaTable:
    """The opacity, from 0 to `highest`."""

    highest: int = _MAX_BYTE

    def values(self, mixture: Mixture) -> Pixels:
        """Return the opacities, rounded."""
        return _rounded(mixture.alpha * self.highest, self.highest)


class IndexTable:
    """An index into the palette of `_set_palette`. Pixels are opaque or transparent, whatever is nearer."""

    def values(self, mixture: Mixture) -> Pixels:
        """Return the indices."""
        mixed = _rounded(mixture.share * (MIXED_COLORS - 1), MIXED_COLORS - 1)
        return np.where(mixture.alpha < _OPAQUE_FROM, np.uint8(_TRANSPARENT_INDEX), mixed)


@dataclass(frozen=True, slots=True)
class Component:
    """The values of one component of all pixels, and the table that they come from."""

    pixels: Pixels
    table: Table
    sampling: Sampling = FULL

    def write(self, box: Box, coverage: Coverage, mixture: Mixture) -> None:
        """Write the values of a box on even coordinates, with its coverage in this sampling.

        The box may reach one pixel over the right and lower edges of a picture with odd sizes.
        """
        columns, rows = self.sampling
        target = self.pixels[box.top // rows : box.bottom // rows, box.left // columns : box.right // columns]
        target[:] = looked_up(self.table.values(mixture), coverage[: target.shape[0], : target.shape[1]])


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A frame for an encoder, and its components. All share the frame's memory."""

    frame: av.VideoFrame
    colors: Colors
    components: tuple[Component, ...]

    @property
    def width(self) -> int:
        """Its width in pixels."""
        return self.frame.width

    @property
    def height(self) -> int:
        """Its height in pixels."""
        return self.frame.height


@dataclass(frozen=True, slots=True)
class _Planar:
    """A pixel format of libav with one plane for each of Y', Cb, Cr and, with some, the opacity."""

    chroma: Sampling
    bits: int = _BYTE


_PLANAR: Final = {
    "yuv420p": _Planar(Sampling(2, 2)),
    "yuva420p": _Planar(Sampling(2, 2)),
    "yuvj444p": _Planar(FULL),
    "yuv422p10le": _Planar(Sampling(2, 1), bits=10),
    "yuv444p10le": _Planar(FULL, bits=10),
    "yuva444p10le": _Planar(FULL, bits=10),
}
_PACKED: Final = ("rgb24", "rgba", "bgra")


def new_picture(width: int, height: int, *, pixel_format: str, colors: Colors, coding: Coding) -> Picture:
    """Return a picture of undefined content. `coding` is that of pixel formats with Y'CbCr.

    Formats without transparency show a translucent background over black.
    """
    frame = av.VideoFrame(width, height, pixel_format)
    if pixel_format == "pal8":
        _set_palette(frame, colors)
        return Picture(frame=frame, colors=colors, components=(Component(array_of(frame.planes[0]), IndexTable()),))
    if "a" not in pixel_format:
        colors = colors.over_black()
    if pixel_format in _PACKED:
        return Picture(frame=frame, colors=colors, components=_packed(frame, colors))
    return Picture(frame=frame, colors=colors, components=_planar(frame, colors, coding))


def bytes_of(plane: VideoPlane) -> npt.NDArray[np.uint8]:
    """Return a plane's memory as an array, with the padding of its rows."""
    buffer = cast("memoryview[int]", plane)  # planes support the buffer protocol, though PyAV's stubs don't declare it
    return np.frombuffer(buffer, np.uint8)


def array_of(plane: VideoPlane, *, bits: int = _BYTE) -> Pixels:
    """Return a plane's values as an array that shares its memory, without the padding of its rows."""
    values = bytes_of(plane) if bits == _BYTE else bytes_of(plane).view("<u2")
    return cast("Pixels", values.reshape(plane.height, -1)[:, : plane.width])


def looked_up(values: Pixels, coverage: Coverage) -> Pixels:
    """Return the value for each coverage."""
    if values.dtype != np.uint8:
        return values[coverage]
    found = coverage.tobytes().translate(values.tobytes())  # in a third of the time of indexing
    return np.frombuffer(found, np.uint8).reshape(coverage.shape)


def _packed(frame: av.VideoFrame, colors: Colors) -> tuple[Component, ...]:
    """Return the components of a format whose name lists the bytes of a pixel."""
    plane = frame.planes[0]
    rows = bytes_of(plane).reshape(plane.height, plane.line_size)
    names = frame.format.name.removesuffix("24")
    size = plane.width * len(names)
    return tuple(
        Component(rows[:, index : size : len(names)], _packed_table(name, colors)) for index, name in enumerate(names)
    )


def _packed_table(name: str, colors: Colors) -> Table:
    if name == "a":
        return AlphaTable()
    start, end = (
        {"r": color.red, "g": color.green, "b": color.blue}[name] for color in (colors.background, colors.text)
    )
    return ColorTable(start, end)


def _planar(frame: av.VideoFrame, colors: Colors, coding: Coding) -> tuple[Component, ...]:
    layout = _PLANAR[frame.format.name]
    highest, scale = 2**layout.bits - 1, 2 ** (layout.bits - _BYTE)
    start, end = coding.encode(colors.background), coding.encode(colors.text)
    tables: list[Table] = [
        ColorTable(one * scale, other * scale, highest) for one, other in zip(start, end, strict=True)
    ]
    samplings = (FULL, layout.chroma, layout.chroma, FULL)
    return tuple(
        Component(array_of(plane, bits=layout.bits), table, sampling)
        for plane, table, sampling in zip(frame.planes, (*tables, AlphaTable(highest)), samplings, strict=False)
    )


def _set_palette(frame: av.VideoFrame, colors: Colors) -> None:
    """Set the palette: the colours from the background's to the text's, and a transparent one."""
    share = np.arange(MIXED_COLORS) / (MIXED_COLORS - 1)
    palette = bytes_of(frame.planes[1]).view(np.uint32)  # each is 0xAARRGGBB
    palette[:] = 0
    palette[:MIXED_COLORS] = 0xFF << 24
    for name, shift in (("red", 16), ("green", 8), ("blue", 0)):
        start, end = getattr(colors.background, name), getattr(colors.text, name)
        palette[:MIXED_COLORS] |= _rounded(start + (end - start) * share, 255).astype(np.uint32) << shift


def _rounded(values: npt.NDArray[np.float64], highest: int) -> Pixels:
    kept = np.rint(np.clip(values, 0, highest))
    return kept.astype(np.uint8) if highest <= _MAX_BYTE else kept.astype("<u2")
