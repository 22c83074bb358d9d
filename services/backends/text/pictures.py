"""Pictures in the memory of a libav frame, which encoders read: the values of each component of the pixels."""

from dataclasses import dataclass
from typing import Final, NamedTuple, cast

import av
import numpy as np
import numpy.typing as npt
from av.video.plane import VideoPlane

from services.backends.text.component_values import AlphaTable, ColorTable, Overlay, Pixels, Table
from services.backends.text.harfbuzz import Box, Coverage
from services.backends.text.mixture import Colors, Mixture
from services.backends.text.palettes import Palette, many_colors_palette, mixed_palette
from services.backends.text.ycbcr import Coding

_BYTE: Final = 8  # bits


class Sampling(NamedTuple):
    """How many columns and rows of pixels share one value."""

    columns: int
    rows: int


FULL: Final = Sampling(1, 1)


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
        target = self._part(box)
        target[:] = looked_up(self.table.values(mixture), coverage[: target.shape[0], : target.shape[1]])

    def fill(self, box: Box, mixture: Mixture) -> None:
        """Write the value of no coverage to a box; as `write`."""
        self._part(box).fill(self.table.values(mixture)[0])

    def draw_over(self, box: Box, overlay: Overlay) -> None:
        """Draw pixels in this sampling over those of a box; as `write`."""
        target = self._part(box)
        height, width = target.shape
        fitting = overlay.cropped(height, width)
        target[:] = self.table.drawn_over(target, fitting)

    def _part(self, box: Box) -> Pixels:
        columns, rows = self.sampling
        return self.pixels[box.top // rows : box.bottom // rows, box.left // columns : box.right // columns]


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
        return _with_palette(frame, colors, mixed_palette(colors))
    if "a" not in pixel_format:
        colors = colors.over_black()
    if pixel_format in _PACKED:
        return Picture(frame=frame, colors=colors, components=_packed(frame, colors))
    return Picture(frame=frame, colors=colors, components=_planar(frame, colors, coding))


def with_many_colors(picture: Picture) -> Picture:
    """Return the picture for content of other colours than the text's. Its frame is the same; a palette changes."""
    if picture.frame.format.name != "pal8":
        return picture
    return _with_palette(picture.frame, picture.colors, many_colors_palette(picture.colors))


def _with_palette(frame: av.VideoFrame, colors: Colors, palette: Palette) -> Picture:
    bytes_of(frame.planes[1]).view(np.uint32)[:] = palette.encoded()
    return Picture(frame=frame, colors=colors, components=(Component(array_of(frame.planes[0]), palette),))


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


def subsampled(coverage: Coverage, sampling: Sampling) -> Coverage:
    """Halve coverage horizontally or in both directions, for chroma samples on even columns, between two rows.

    That is the position in MPEG-2 and the default of H.264 (ITU-T H.264, figure E-1, type 0); hence the weights 1, 2, 1
    over columns and 1, 1 over rows.
    """
    rows = coverage[0 :: sampling.rows].astype(np.uint16)
    if sampling.rows > 1:
        rows += coverage[1::2]
    even, right = rows[:, 0::2], rows[:, 1::2]
    left = np.concatenate((even[:, :1], right[:, :-1]), axis=1)
    shift = 1 + sampling.rows  # the weights' sum is 4 or 8
    return ((2 * even + left + right + (1 << shift - 1)) >> shift).astype(np.uint8)


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
    weights = {"r": (1, 0, 0, 0), "g": (0, 1, 0, 0), "b": (0, 0, 1, 0)}
    return ColorTable(start, end, weights[name])


def _planar(frame: av.VideoFrame, colors: Colors, coding: Coding) -> tuple[Component, ...]:
    layout = _PLANAR[frame.format.name]
    highest, scale = 2**layout.bits - 1, 2 ** (layout.bits - _BYTE)
    start, end = coding.encode(colors.background), coding.encode(colors.text)
    tables: list[Table] = [
        ColorTable(one * scale, other * scale, (red * scale, green * scale, blue * scale, black * scale), highest)
        for one, other, (red, green, blue, black) in zip(start, end, coding.weights, strict=True)
    ]
    samplings = (FULL, layout.chroma, layout.chroma, FULL)
    return tuple(
        Component(array_of(plane, bits=layout.bits), table, sampling)
        for plane, table, sampling in zip(frame.planes, (*tables, AlphaTable(highest)), samplings, strict=False)
    )
