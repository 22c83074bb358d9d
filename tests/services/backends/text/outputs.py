"""Makes outputs of the text renderer in this process and decodes them, for the tests of all formats and options."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from services.backends.text.job import parse_job
from services.backends.text.render_job import render
from services.media import FORMATS, OutputFormat, OutputKind
from tests.services.backends.text.rendering import job

Pixels = npt.NDArray[np.float64]

BACKGROUND, TEXT = (0x1E, 0x3A, 0x8A), (0xFF, 0xCC, 0x00)
BLOCK = "\u2588"  # a rectangle, so that there are pixels of exactly the text's colour
WIDTH, HEIGHT, FPS, FRAMES = 64, 36, 30, 12

ROWS = [name for name in OutputFormat if FORMATS[name].kind is not OutputKind.AUDIO and name is not OutputFormat.PDF]
ANIMATED = [name for name in ROWS if FORMATS[name].kind is not OutputKind.STILL]
VIDEOS = [name for name in ROWS if FORMATS[name].kind is OutputKind.VIDEO]
LOSSLESS = {OutputFormat.GIF, OutputFormat.PNG, OutputFormat.WEBP}
WITH_ALPHA = {
    OutputFormat.VP8: "yuva420p",
    OutputFormat.VP9: "yuva420p",
    OutputFormat.PRORES: "yuva444p12le",
    OutputFormat.GIF: "bgra",
    OutputFormat.PNG: "rgba",
    OutputFormat.WEBP: "argb",
}
Options = dict[str, object]

# The libraries' own decoders of VP8 and VP9 decode transparency, libav's do not.
DECODERS = {OutputFormat.VP8: "libvpx", OutputFormat.VP9: "libvpx-vp9"}
CONTAINERS = {"mp4": "mp4", "webm": "webm", "mov": "mov", "gif": "gif", "png": "png_pipe", "jpeg": "jpeg_pipe"}
CONTAINERS |= {"webp": "webp_pipe"}

# Shares of red and blue in luma, by the matrix's code point in ITU-T H.273.
MATRICES = {1: (0.2126, 0.0722), 5: (0.299, 0.114)}


@dataclass(frozen=True, kw_only=True)
class Made:
    """A decoded output. `duration_s` is that of the frames together."""

    codec: str
    tag: str
    color_tags: tuple[int, int, int, int]
    rate: Fraction | None
    frames: Sequence[av.VideoFrame]
    duration_s: float
    data: bytes
    messages: Sequence[Mapping[str, object]]
    poster: Path

    @property
    def warnings(self) -> list[str]:
        return [str(message["message"]) for message in self.messages if message["type"] == "warning"]

    @property
    def size(self) -> tuple[int, int]:
        return self.frames[0].width, self.frames[0].height


def make(folder: Path, options: Mapping[str, object], **changes: object) -> Made:
    """Make an output and decode it. The text is a rectangle in the middle unless `changes` say otherwise."""
    path = folder / f"{len(list(folder.iterdir()))}.part"
    values: dict[str, object] = {
        "text": BLOCK,
        "font_size": 16.0,
        "color": "#ffcc00",
        "background_color": "#1e3a8a",
        "width": WIDTH,
        "height": HEIGHT,
        "fps": FPS,
        "duration_in_frames": FRAMES,
        **changes,
    }
    wanted = job(path, **values, options=options)
    messages: list[Mapping[str, object]] = []
    size_bytes = render(parse_job(json.dumps(wanted).encode()), messages.append)
    assert size_bytes == path.stat().st_size
    return _decoded(path, OutputFormat(str(options["format"])), messages, Path(str(wanted["poster"])))


def _decoded(path: Path, name: OutputFormat, messages: Sequence[Mapping[str, object]], poster: Path) -> Made:
    with av.open(str(path), format=CONTAINERS[FORMATS[name].extension]) as container:
        stream = container.streams.video[0]
        decoder = av.CodecContext.create(DECODERS[name], "r") if name in DECODERS else None
        packets = list(container.demux(stream)) if decoder else []
        frames = [frame for packet in packets for frame in decoder.decode(packet)] if decoder else []  # type: ignore[attr-defined]
        context = stream.codec_context
        frames = frames or list(container.decode(stream))
        for frame in frames:
            frame.colorspace = context.colorspace  # libvpx's own decoders don't read the container's tags
        last = frames[-1]
        assert last.pts is not None
        return Made(
            codec=context.name,
            tag=context.codec_tag,
            color_tags=(context.color_primaries, context.color_trc, context.colorspace, context.color_range),
            rate=stream.average_rate,
            frames=frames,
            duration_s=float((last.pts + last.duration) * (last.time_base or stream.time_base or 0)),
            data=path.read_bytes(),
            messages=messages,
            poster=poster,
        )


def rgba(frame: av.VideoFrame) -> Pixels:
    """Return a frame's pixels with channels from 0 to 255, converted as the frame's own tags say."""
    if not frame.format.name.startswith("yuv"):
        return frame.to_ndarray(format="rgba").astype(np.float64)
    is_jpeg = frame.format.name.startswith("yuvj")
    planes = [_full_size(plane, frame, is_alpha=index == 3) for index, plane in enumerate(frame.planes)]
    luma, cb, cr = planes[:3]
    red_share, blue_share = MATRICES[frame.colorspace]
    black, luma_range, chroma_range = (0, 255, 255) if is_jpeg else (16, 219, 224)
    y, b, r = (luma - black) / luma_range, (cb - 128) / chroma_range, (cr - 128) / chroma_range
    red, blue = y + 2 * (1 - red_share) * r, y + 2 * (1 - blue_share) * b
    green = (y - red_share * red - blue_share * blue) / (1 - red_share - blue_share)
    alpha = planes[3] / 255 if len(planes) > 3 else np.ones_like(y)
    pixels: Pixels = np.clip(np.stack((red, green, blue, alpha), axis=2) * 255, 0, 255)
    return pixels


def _full_size(plane: av.video.plane.VideoPlane, frame: av.VideoFrame, *, is_alpha: bool) -> Pixels:
    """Return a plane's values as of 8 bits, each repeated for all pixels that share it."""
    bits = frame.format.components[0].bits
    values = np.frombuffer(bytes(plane), np.uint8 if bits == 8 else np.uint16).reshape(plane.height, -1)
    highest = 2**bits - 1
    scale = 255 / highest if is_alpha else 1 / 2 ** (bits - 8)
    columns, rows = -(-frame.width // plane.width), -(-frame.height // plane.height)
    repeated = values[:, : plane.width].repeat(columns, axis=1).repeat(rows, axis=0)
    full_size: Pixels = repeated[: frame.height, : frame.width].astype(np.float64) * scale
    return full_size


def corner(frame: av.VideoFrame) -> Pixels:
    """Return the colour of the background."""
    pixels = rgba(frame)[:4, :4]
    color: Pixels = pixels.mean(axis=(0, 1))
    return color


def middle(frame: av.VideoFrame) -> Pixels:
    """Return the colour in the middle of the frame, where the text is."""
    pixels = rgba(frame)
    height, width = pixels.shape[:2]
    color: Pixels = pixels[height // 2 - 1 : height // 2 + 1, width // 2 - 1 : width // 2 + 1].mean(axis=(0, 1))
    return color


def at_rest(name: OutputFormat, **options: object) -> Options:
    """Return options that show the text at rest: in a still, the last frame."""
    is_still = FORMATS[name].kind is OutputKind.STILL
    return {"format": name.value, **({"frame": -1} if is_still else {}), **options}


def near(found: object, color: tuple[int, ...], name: OutputFormat, *, tolerance: float = 4) -> bool:
    """Return whether a colour is the expected one: exactly, if the format is lossless."""
    difference = np.abs(np.asarray(found)[: len(color)] - color).max()
    return bool(difference <= (0 if name in LOSSLESS else tolerance))


def check_alpha(made: Made, name: OutputFormat) -> None:
    """Check that the background is transparent, the text opaque, and that both have the text's colour."""
    assert made.frames[0].format.name == WITH_ALPHA[name]
    assert corner(made.frames[-1])[3] == 0
    assert near(middle(made.frames[-1]), (*TEXT, 255), name)
    assert len(made.frames) == 1 or rgba(made.frames[0])[..., 3].max() <= 2
    if name not in LOSSLESS:
        assert near(corner(made.frames[-1]), TEXT, name)
