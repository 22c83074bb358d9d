"""Small real outputs for tests, of each format. The last frame of a video is red, all others are blue."""

import io
from fractions import Fraction
from functools import cache
from tempfile import NamedTemporaryFile
from typing import cast

import av
import numpy as np
from av import AudioStream, VideoCodecContext, VideoStream
from av.video.reformatter import ColorRange, Colorspace

from services.media import FORMATS, OutputFormat, OutputKind
from tests.support.videos import BLUE, RED, make_video

PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
FRAMES = 12
SIZE = (160, 90)
BT709 = 1  # of ITU-T H.273, tables 2 to 4
_ENCODERS = {  # and the pixel formats, with and without transparency
    OutputFormat.H265: ("libx265", "yuv420p", "yuv420p"),
    OutputFormat.VP8: ("libvpx", "yuv420p", "yuva420p"),
    OutputFormat.VP9: ("libvpx-vp9", "yuv420p", "yuva420p"),
    OutputFormat.PRORES: ("prores_ks", "yuv422p10le", "yuva444p10le"),
    OutputFormat.GIF: ("gif", "rgb8", "rgb8"),
}
_AUDIO = {OutputFormat.MP3: "libmp3lame", OutputFormat.AAC: "aac", OutputFormat.WAV: "pcm_s16le"}
_STILLS = {
    OutputFormat.PNG: ("png", "rgba"),
    OutputFormat.JPEG: ("mjpeg", "yuvj444p"),
    OutputFormat.WEBP: ("libwebp", "yuva420p"),
}


@cache
def make_output(name: OutputFormat, *, transparent: bool = False) -> bytes:
    """Return a file of this format. In a transparent video, the left half of each frame is."""
    kind = FORMATS[name].kind
    if name is OutputFormat.H264:
        return make_video()
    if kind is OutputKind.AUDIO:
        return _audio(name)
    return _still(name) if kind is OutputKind.STILL else _video(name, transparent=transparent)


def _video(name: OutputFormat, *, transparent: bool) -> bytes:
    encoder, opaque, with_alpha = _ENCODERS[name]
    with NamedTemporaryFile(suffix=f".{FORMATS[name].extension}") as file, av.open(file.name, "w") as container:
        stream = cast("VideoStream", container.add_stream(encoder, rate=30))
        context = stream.codec_context
        context.width, context.height = SIZE
        context.pix_fmt = with_alpha if transparent else opaque
        if name is not OutputFormat.GIF:
            context.color_primaries = context.color_trc = context.colorspace = BT709
            context.color_range = ColorRange.MPEG
        if transparent and encoder.startswith("libvpx"):
            stream.metadata["alpha_mode"] = "1"
            context.options = {"auto-alt-ref": "0"}
        if name is OutputFormat.H265:
            context.options = {"preset": "ultrafast", "x265-params": "log-level=none"}
        for number in range(FRAMES):
            frame = _frame(RED if number == FRAMES - 1 else BLUE, transparent=transparent)
            frame = frame.reformat(
                format=context.pix_fmt, dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
            )
            frame.pts, frame.time_base = number, Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        container.close()
        return file.read()


def _still(name: OutputFormat) -> bytes:
    if name is OutputFormat.PDF:
        return PDF
    encoder, pixels = _STILLS[name]
    context = cast("VideoCodecContext", av.CodecContext.create(encoder, "w"))
    context.width, context.height, context.pix_fmt, context.time_base = *SIZE, pixels, Fraction(1)
    frame = _frame(RED, transparent=False).reformat(format=pixels)
    frame.pts = 0
    return b"".join(bytes(packet) for packet in (*context.encode(frame), *context.encode(None)))


def _audio(name: OutputFormat) -> bytes:
    file = io.BytesIO()
    formats = {OutputFormat.AAC: "adts"}
    with av.open(file, "w", format=formats.get(name, name.value)) as container:
        stream = cast("AudioStream", container.add_stream(_AUDIO[name], rate=48_000))
        for number in range(FRAMES):
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 2 * 1600), np.int16), format="s16", layout="stereo")
            sound.sample_rate, sound.pts, sound.time_base = 48_000, number * 1600, Fraction(1, 48_000)
            container.mux(stream.encode(sound))
        container.mux(stream.encode(None))
    return file.getvalue()


def _frame(color: tuple[int, int, int], *, transparent: bool) -> av.VideoFrame:
    width, height = SIZE
    pixels = np.full((height, width, 4), (*color, 255), np.uint8)
    if transparent:
        pixels[:, : width // 2, 3] = 0
    return av.VideoFrame.from_ndarray(pixels, format="rgba")
