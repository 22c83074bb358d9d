"""The formats of outputs: the options of each, and the size and length of what is made.

`FORMATS` is the table of all formats. Validation, `Composition.outputs` and the tests of every renderer use it. The CRF
ranges and the sizes that codecs accept are those of Remotion (https://www.remotion.dev/docs/encoding).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import ceil
from types import MappingProxyType

from msgspec import Struct


class OutputKind(StrEnum):
    """What a format contains."""

    VIDEO = "video"
    GIF = "gif"
    AUDIO = "audio"
    STILL = "still"


class OutputFormat(StrEnum):
    """A codec, or the file format of a GIF or still. The values are Remotion's names."""

    H264 = "h264"
    H265 = "h265"
    VP8 = "vp8"
    VP9 = "vp9"
    PRORES = "prores"
    GIF = "gif"
    MP3 = "mp3"
    AAC = "aac"
    WAV = "wav"
    PNG = "png"
    JPEG = "jpeg"
    WEBP = "webp"
    PDF = "pdf"


class ProResProfile(StrEnum):
    """A profile of ProRes, from the highest bit rate to the lowest. The first two can be transparent."""

    P4444_XQ = "4444-xq"
    P4444 = "4444"
    HQ = "hq"
    STANDARD = "standard"
    LIGHT = "light"
    PROXY = "proxy"


TRANSPARENT_PROFILES = frozenset({ProResProfile.P4444, ProResProfile.P4444_XQ})


class OutputOptions(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """What to make of a composition. None means the composition's own value, or the format's default.

    `width` and `height` are in pixels before `scale`. `fps` keeps the duration. `frame` is the index of a still's
    frame; negative ones count from the end. A GIF contains every `every_nth_frame`th frame, and is repeated `loops`
    times; without `loops`, without end. `quality` is a JPEG's, 1 to 100.
    """

    format: OutputFormat = OutputFormat.H264
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    scale: float | None = None
    crf: int | None = None
    bitrate_kbps: int | None = None
    transparent: bool = False
    muted: bool = False
    prores_profile: ProResProfile | None = None
    every_nth_frame: int | None = None
    loops: int | None = None
    frame: int | None = None
    quality: int | None = None


# The names of options in the API, where these differ from the fields'.
CLIENT_NAMES: Mapping[str, str] = MappingProxyType(
    {"bitrate_kbps": "bitrateKbps", "every_nth_frame": "everyNthFrame", "prores_profile": "proResProfile"}
)


class Media(Struct, frozen=True, kw_only=True, gc=False):
    """Size in pixels and length in frames of an output or a composition. None: not known, or an audio file's size."""

    frames: int
    fps: float
    width: int | None = None
    height: int | None = None

    @property
    def duration_s(self) -> float:
        """The duration in seconds."""
        return self.frames / self.fps


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A row of the table. `options` are the fields of `OutputOptions` that the format has, besides `format`.

    `crf` is the range of the constant rate factor: lower values mean a higher quality. `even` means that width and
    height must be even, and `min_side` is the least of both in pixels.
    """

    kind: OutputKind
    extension: str
    media_type: str
    options: frozenset[str]
    crf: range | None = None
    even: bool = False
    min_side: int = 1


_SIZE = frozenset({"width", "height", "scale"})
_VIDEO = _SIZE | {"fps", "muted"}
_COMPRESSED = _VIDEO | {"crf", "bitrate_kbps"}
_STILL = _SIZE | {"frame"}

FORMATS: Mapping[OutputFormat, Format] = MappingProxyType(
    {
        OutputFormat.H264: Format(
            kind=OutputKind.VIDEO,
            extension="mp4",
            media_type="video/mp4",
            options=_COMPRESSED,
            crf=range(1, 52),
            even=True,
        ),
        OutputFormat.H265: Format(
            kind=OutputKind.VIDEO,
            extension="mp4",
            media_type="video/mp4",
            options=_COMPRESSED,
            crf=range(52),
            even=True,
            min_side=32,  # with smaller blocks, x265 rejects pictures that are wider or higher than 4,200 pixels
        ),
        OutputFormat.VP8: Format(
            kind=OutputKind.VIDEO,
            extension="webm",
            media_type="video/webm",
            options=_COMPRESSED | {"transparent"},
            crf=range(4, 64),
        ),
        OutputFormat.VP9: Format(
            kind=OutputKind.VIDEO,
            extension="webm",
            media_type="video/webm",
            options=_COMPRESSED | {"transparent"},
            crf=range(64),
        ),
        OutputFormat.PRORES: Format(
            kind=OutputKind.VIDEO,
            extension="mov",
            media_type="video/quicktime",
            options=_VIDEO | {"transparent", "prores_profile"},
        ),
        OutputFormat.GIF: Format(
            kind=OutputKind.GIF,
            extension="gif",
            media_type="image/gif",
            options=_SIZE | {"every_nth_frame", "loops"},
        ),
        OutputFormat.MP3: Format(
            kind=OutputKind.AUDIO, extension="mp3", media_type="audio/mpeg", options=frozenset({"bitrate_kbps"})
        ),
        OutputFormat.AAC: Format(
            kind=OutputKind.AUDIO, extension="aac", media_type="audio/aac", options=frozenset({"bitrate_kbps"})
        ),
        OutputFormat.WAV: Format(kind=OutputKind.AUDIO, extension="wav", media_type="audio/wav", options=frozenset()),
        OutputFormat.PNG: Format(kind=OutputKind.STILL, extension="png", media_type="image/png", options=_STILL),
        OutputFormat.JPEG: Format(
            kind=OutputKind.STILL, extension="jpeg", media_type="image/jpeg", options=_STILL | {"quality"}
        ),
        OutputFormat.WEBP: Format(kind=OutputKind.STILL, extension="webp", media_type="image/webp", options=_STILL),
        OutputFormat.PDF: Format(kind=OutputKind.STILL, extension="pdf", media_type="application/pdf", options=_STILL),
    }
)


def formats_of(*kinds: OutputKind) -> frozenset[OutputFormat]:
    """Return all formats of these kinds."""
    return frozenset(name for name, row in FORMATS.items() if row.kind in kinds)


def forced_frames(composition: Media, options: OutputOptions) -> int:
    """Return the number of frames before `every_nth_frame`, at the rate of the options: the duration is kept."""
    if options.fps is None:
        return composition.frames
    return max(1, round(composition.frames * options.fps / composition.fps))


def output_media(composition: Media, options: OutputOptions) -> Media:
    """Return the size and length of the output of a composition with these options."""
    kind = FORMATS[options.format].kind
    if kind is OutputKind.AUDIO:
        return Media(frames=composition.frames, fps=composition.fps)
    nth = options.every_nth_frame or 1
    return Media(
        frames=1 if kind is OutputKind.STILL else ceil(forced_frames(composition, options) / nth),
        fps=(options.fps or composition.fps) / nth,
        width=_scaled(options.width or composition.width, options.scale),
        height=_scaled(options.height or composition.height, options.scale),
    )


def _scaled(pixels: int | None, scale: float | None) -> int | None:
    return None if pixels is None else round(pixels * (scale or 1))
