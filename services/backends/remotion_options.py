"""The output options of a render in Remotion's terms: those of its renderer and of its function."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.backends.remotion_props import js_number
from services.media import FORMATS, TRANSPARENT_PROFILES, OutputFormat, OutputKind, OutputOptions, ProResProfile

JPEG_QUALITY = 80  # Remotion's default
_TRANSPARENT_PIXELS = {
    OutputFormat.VP8: "yuva420p",
    OutputFormat.VP9: "yuva420p",
    OutputFormat.PRORES: "yuva444p10le",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """How frames are captured and converted: the deployment's `imageFormat` and `colorSpace`."""

    image_format: str
    color_space: str


def media_fields(options: OutputOptions, *, capture: Capture, forced_frames: int | None) -> Mapping[str, object]:
    """Return the fields of a start for a video, a GIF or an audio file.

    `forced_frames` is the number of frames that keeps the duration at the frame rate of the options.
    """
    kind = FORMATS[options.format].kind
    profile = _prores_profile(options)
    bitrate = None if options.bitrate_kbps is None else f"{options.bitrate_kbps}k"
    return {
        "codec": options.format.value,
        "imageFormat": _image_format(options, kind, capture),
        "crf": options.crf,
        "pixelFormat": _pixel_format(options, profile),
        "proResProfile": profile,
        "jpegQuality": JPEG_QUALITY,
        "scale": js_number(options.scale or 1),
        "everyNthFrame": options.every_nth_frame or 1,
        "numberOfGifLoops": options.loops,
        "muted": options.muted,
        "audioBitrate": bitrate if kind is OutputKind.AUDIO else None,
        "videoBitrate": None if kind is OutputKind.AUDIO else bitrate,
        "forceWidth": options.width,
        "forceHeight": options.height,
        "forceFps": None if options.fps is None else js_number(options.fps),
        "forceDurationInFrames": None if options.fps is None else forced_frames,
        # The function ignores it for GIFs, whose colours are RGB, and for audio.
        "colorSpace": capture.color_space if kind is OutputKind.VIDEO else None,
    }


def still_fields(options: OutputOptions) -> Mapping[str, object]:
    """Return the fields of a still."""
    return {
        "imageFormat": options.format.value,
        "jpegQuality": JPEG_QUALITY if options.quality is None else options.quality,
        "frame": options.frame or 0,
        "scale": js_number(options.scale or 1),
        "forceWidth": options.width,
        "forceHeight": options.height,
    }


def _image_format(options: OutputOptions, kind: OutputKind, capture: Capture) -> str:
    """Return how frames are captured. JPEG frames have no transparency."""
    if kind is OutputKind.AUDIO:
        return "none"
    return "png" if options.transparent else capture.image_format


def _prores_profile(options: OutputOptions) -> str | None:
    """Return the profile; without one, Remotion's default, which can't be transparent."""
    if options.prores_profile is not None:
        return options.prores_profile.value
    return ProResProfile.P4444.value if options.transparent and options.format is OutputFormat.PRORES else None


def _pixel_format(options: OutputOptions, profile: str | None) -> str | None:
    """Return the pixel format; for None, Remotion uses 4:2:0, which the encoder of ProRes changes to 4:2:2."""
    if options.transparent:
        return _TRANSPARENT_PIXELS.get(options.format)
    return "yuv444p10le" if profile in TRANSPARENT_PROFILES else None
