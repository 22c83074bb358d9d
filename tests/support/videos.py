"""Small real videos for tests, encoded with H.264. Their last frame is red, all others are blue."""

import io
from fractions import Fraction
from itertools import chain
from tempfile import NamedTemporaryFile
from typing import Final

import av
import numpy as np
from av.video.frame import PictureType
from av.video.reformatter import ColorRange, Colorspace

RED: Final = (204, 34, 51)
BLUE: Final = (17, 68, 221)
_CODE_POINTS: Final = {Colorspace.ITU709: 1, Colorspace.ITU601: 6, Colorspace.BT2020: 9}  # of ITU-T H.273


def make_video(
    *,
    size: tuple[int, int] = (160, 90),
    frames: int = 12,
    last_key_frame: int = 0,
    faststart: bool = True,
    audio: bool = False,
    noise: bool = False,
    colorspace: Colorspace | None = Colorspace.ITU709,
    color_range: ColorRange = ColorRange.MPEG,
) -> bytes:
    """Return a video of 30 frames per second whose only key frames are the first and `last_key_frame`.

    `noise` makes the blue frames large. Without a `colorspace`, the file contains no colour information.
    """
    width, height = size
    options = {"movflags": "+faststart"} if faststart else {}  # moves the index to the front, in a named file
    with NamedTemporaryFile(suffix=".mp4") as file, av.open(file.name, "w", options=options) as container:
        stream = container.add_stream("libx264", rate=30)
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = width, height, "yuv420p"
        context.gop_size = 10_000
        context.options = {"preset": "ultrafast", "crf": "10", "x264-params": "scenecut=0:bframes=2"}
        context.color_range = color_range
        if colorspace is not None:
            context.color_primaries = context.color_trc = context.colorspace = _CODE_POINTS[colorspace]
        sound = container.add_stream("aac", rate=48_000) if audio else None
        used = colorspace or (Colorspace.ITU601 if height < 720 else Colorspace.ITU709)
        for number in range(frames):
            color = RED if number == frames - 1 else BLUE
            frame = _frame(width, height, color, noise=noise and color == BLUE).reformat(
                format="yuv420p", dst_colorspace=used, dst_color_range=color_range
            )
            frame.pts, frame.time_base = number, Fraction(1, 30)
            if number == last_key_frame:
                frame.pict_type = PictureType.I
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound is not None:
            container.mux(list(chain.from_iterable(sound.encode(frame) for frame in (_silence(), None))))
        container.close()
        return file.read()


def make_audio() -> bytes:
    """Return an MP4 file without a video stream."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=48_000)
        container.mux(list(chain.from_iterable(stream.encode(frame) for frame in (_silence(), None))))
    return file.getvalue()


def color_of(jpeg: bytes, *, across: float = 0.5) -> tuple[int, int, int]:
    """Return the colour of a JPEG file as red, green and blue: halfway down, and at this share of its width."""
    with av.open(io.BytesIO(jpeg), "r") as container:
        pixels = next(container.decode(video=0)).to_ndarray(format="rgb24")
    red, green, blue = (int(value) for value in pixels[pixels.shape[0] // 2, int(pixels.shape[1] * across)])
    return red, green, blue


def _frame(width: int, height: int, color: tuple[int, int, int], *, noise: bool) -> av.VideoFrame:
    pixels = np.full((height, width, 3), color, np.uint8)
    if noise:
        pixels[::2] = np.random.default_rng().integers(0, 256, pixels[::2].shape, np.uint8)
    return av.VideoFrame.from_ndarray(pixels, format="rgb24")


def _silence() -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
    frame.sample_rate, frame.pts, frame.time_base = 48_000, 0, Fraction(1, 48_000)
    return frame
