"""Decodes files of the renderer."""

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import av
import numpy as np
import numpy.typing as npt
from av import VideoCodecContext

# The libraries' own decoders of VP8 and VP9 decode transparency, libav's do not.
_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """The video stream of a file, as far as it has one, and the number of its audio samples per channel."""

    codec: str | None
    pixel_format: str | None
    color_tags: tuple[int, int]
    size: tuple[int, int] | None
    fps: float | None
    frames: list[npt.NDArray[np.uint8]]
    audio_codec: str | None
    audio_s: float


def decode(path: Path, *, with_alpha: bool = False) -> Decoded:
    """Decode a file. The frames are RGBA."""
    with av.open(str(path)) as container:
        video = next(iter(container.streams.video), None)
        audio = next(iter(container.streams.audio), None)
        frames: list[av.VideoFrame] = []
        samples = 0
        alpha = None if video is None or not with_alpha else _ALPHA_DECODERS.get(video.codec_context.name)
        decoder = None if alpha is None else cast("VideoCodecContext", av.CodecContext.create(alpha, "r"))
        # Read before decoding: a VP8 stream itself can only say BT.601, its container says more.
        tags = (0, 0) if video is None else (int(video.codec_context.colorspace), int(video.codec_context.color_range))
        for packet in container.demux():
            for frame in decoder.decode(packet) if decoder and packet.stream is video else packet.decode():
                if isinstance(frame, av.VideoFrame):
                    frames.append(frame)
                elif isinstance(frame, av.AudioFrame):
                    samples += frame.samples
        context = None if video is None else video.codec_context
        return Decoded(
            codec=None if context is None else context.name,
            pixel_format=frames[0].format.name if frames else None,
            color_tags=tags,
            size=(frames[0].width, frames[0].height) if frames else None,
            fps=None if video is None or video.average_rate is None else float(video.average_rate),
            frames=[frame.to_ndarray(format="rgba").astype(np.uint8) for frame in frames],
            audio_codec=None if audio is None else audio.codec_context.name,
            audio_s=samples / audio.rate if audio is not None else 0.0,
        )
