"""The encoder and its settings for each format of a video or GIF."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from services.backends.text.ycbcr import BT601, BT709, Coding
from services.media import TRANSPARENT_PROFILES, OutputFormat, OutputOptions, ProResProfile

# Settings for text in one colour on a flat background, chosen by comparing decoded frames with painted ones.
# - Adaptive quantisation and macroblock trees take bits from the edges of text, permanently once the text is at rest.
# - Deblocking erases the last column of a letter where that column reaches into the next block.
# - Weighted prediction shifts the whole background by one level while text fades.
# - A more thorough motion search improves nothing, nor does lookahead, which takes a sixth of the time.
# - Psychovisual optimisation (x265) replaces detail that text does not have.
# - The realtime mode of VP9 takes a quarter of the time of the others at the same error, if it is tuned for screens.
# One thread, since the output of x264 depends on the number of threads.
_X264: Final = {
    "preset": "veryfast",
    "profile": "high",
    "x264-params": "threads=1:aq-mode=0:mbtree=0:no-deblock=1:weightp=0:weightb=0:subme=1:me=dia:b-adapt=0:scenecut=0"
    ":rc-lookahead=0",
}
_X265: Final = {
    "preset": "superfast",
    "x265-params": "pools=none:frame-threads=1:wpp=0:info=0:log-level=error:aq-mode=0:cutree=0:weightp=0:rc-lookahead=0"
    ":b-adapt=0:bframes=0:scenecut=0:no-deblock=1:no-sao=1:psy-rd=0:no-psy-rdoq=1",
}
_VPX: Final = {"lag-in-frames": "0", "auto-alt-ref": "0"}  # the latter is not possible with transparency
_VP8: Final = {**_VPX, "deadline": "good", "cpu-used": "5"}
_VP9: Final = {**_VPX, "deadline": "realtime", "cpu-used": "6", "tune-content": "screen", "aq-mode": "0"}

# Constant rate factors with which text at rest differs from the painted one by at most 11 of 255 levels.
_DEFAULT_CRF: Final = {OutputFormat.H264: 20, OutputFormat.H265: 18, OutputFormat.VP8: 9, OutputFormat.VP9: 15}
_UNLIMITED_BPS: Final = 1_000_000_000  # libvpx otherwise limits VP8 to 256 kbit/s, whatever the CRF

# The numbers of the profiles in libav.
_PRORES_PROFILES: Final = {
    ProResProfile.PROXY: 0,
    ProResProfile.LIGHT: 1,
    ProResProfile.STANDARD: 2,
    ProResProfile.HQ: 3,
    ProResProfile.P4444: 4,
    ProResProfile.P4444_XQ: 5,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec:
    """An encoder of libav with its options, the container that it is written to, and the pixels that it reads.

    `bitrate_bps` is 0 if the options decide the quality. `reads_later` says that the encoder still reads a frame when
    the next one is added. `coding` is None if the pixels are RGB.
    """

    encoder: str
    container: str
    pixel_format: str
    coding: Coding | None = BT709
    options: Mapping[str, str] = field(default_factory=dict)
    container_options: Mapping[str, str] = field(default_factory=dict)
    bitrate_bps: int = 0
    tag: str | None = None
    reads_later: bool = False


def codec_of(options: OutputOptions, *, width: int, has_alpha: bool) -> Codec:
    """Return the codec of a video or GIF that is `width` pixels wide."""
    match options.format:
        case OutputFormat.H264:
            return _mp4("libx264", options, _X264)
        case OutputFormat.H265:
            return _mp4("libx265", options, _X265, tag="hvc1")  # Apple's players accept no other tag
        case OutputFormat.VP8:
            # Its bitstream can only say BT.601 (RFC 6386, section 9.2), which decoders believe more than the container.
            return _webm("libvpx", options, _VP8, coding=BT601, has_alpha=has_alpha)
        case OutputFormat.VP9:
            return _webm("libvpx-vp9", options, _VP9, has_alpha=has_alpha)
        case OutputFormat.PRORES:
            return _prores(options, width=width, has_alpha=has_alpha)
        case _:
            return _gif(options)


def prores_profile(options: OutputOptions) -> ProResProfile:
    """Return the profile: by default the smallest that can be transparent, or the one that Remotion's default is."""
    return options.prores_profile or (ProResProfile.P4444 if options.transparent else ProResProfile.HQ)


def _mp4(encoder: str, options: OutputOptions, settings: Mapping[str, str], *, tag: str | None = None) -> Codec:
    return Codec(
        encoder=encoder,
        container="mp4",
        pixel_format="yuv420p",
        options={**settings, **_quality(options)},
        container_options={"movflags": "+faststart"},
        bitrate_bps=_bitrate_bps(options),
        tag=tag,
    )


def _webm(
    encoder: str, options: OutputOptions, settings: Mapping[str, str], *, coding: Coding = BT709, has_alpha: bool
) -> Codec:
    is_vp8 = options.format is OutputFormat.VP8
    return Codec(
        encoder=encoder,
        container="webm",
        pixel_format="yuva420p" if has_alpha else "yuv420p",
        coding=coding,
        options={**settings, **_quality(options)},
        container_options={"cues_to_front": "1"},
        bitrate_bps=_bitrate_bps(options) or (_UNLIMITED_BPS if is_vp8 else 0),
    )


def _prores(options: OutputOptions, *, width: int, has_alpha: bool) -> Codec:
    """Return the codec of ProRes: `prores_aw` takes a fifth of the time of `prores_ks`, but no odd widths."""
    profile = prores_profile(options)
    full_chroma = "yuva444p10le" if has_alpha else "yuv444p10le"
    return Codec(
        encoder="prores_ks" if width % 2 else "prores_aw",
        container="mov",
        pixel_format=full_chroma if profile in TRANSPARENT_PROFILES else "yuv422p10le",
        options={"profile": str(_PRORES_PROFILES[profile])},
        container_options={"movflags": "+faststart"},
    )


def _gif(options: OutputOptions) -> Codec:
    # libav counts the repetitions after the first time, 0 means without end, and -1 none.
    loop = 0 if options.loops is None else options.loops or -1
    return Codec(
        encoder="gif",
        container="gif",
        pixel_format="pal8",
        coding=None,
        container_options={"loop": str(loop)},
        reads_later=True,  # it compares each frame with the one before
    )


def _quality(options: OutputOptions) -> dict[str, str]:
    if options.bitrate_kbps is not None:
        return {}
    return {"crf": str(_DEFAULT_CRF[options.format] if options.crf is None else options.crf)}


def _bitrate_bps(options: OutputOptions) -> int:
    return (options.bitrate_kbps or 0) * 1000
