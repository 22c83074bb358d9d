"""The encoder and its settings for each format of a video or GIF."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from services.backends.text.ycbcr import BT601, BT709, Coding
from services.media import TRANSPARENT_PROFILES, OutputFormat, OutputOptions, ProResProfile

# Settings for text in one colour on a flat background, chosen by comparing decoded frames with painted ones.
# - Adaptive quantisation and macroblock trees take bits from the edges of text, permanently once the text is at rest.
# - Deblocking erases the last column of a letter where that column reaches into the next block.
# - Weighted prediction shifts the whole background by one level while text fades.
# - A more thorough motion search improves nothing, nor does lookahead, which takes a sixth of the time. Where text does
#   not move, a search by fractions of a pixel doesn't either, and takes a sixth.
# - Motion of parts of a macroblock takes a sixth of the time, and improves frames of moving text by 0.1 dB; a smaller
#   dead zone does so too, for 1 to 3 % of their size.
# - Psychovisual optimisation (x265) replaces detail that text does not have.
# - The realtime mode of VP9 takes a quarter of the time of the others at the same error, if it is tuned for screens.
# One thread, since the output of x264 depends on the number of threads.
_X264_PARAMS: Final = (
    "threads=1:aq-mode=0:mbtree=0:no-deblock=1:weightp=0:weightb=0:subme=1:me=dia:b-adapt=0:scenecut=0:rc-lookahead=0"
    ":partitions=i8x8,i4x4:deadzone-inter=20"
    ":stitchable=1"  # headers that depend on no other option, so that they are also those of text at rest
)
_X264_STILL_PARAMS: Final = f"{_X264_PARAMS}:subme=0"
_X264_CRF_TO_QP: Final = 8  # the quantiser that x264 itself chooses for the first key frame of text at rest
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

    `rest_options` change the options for text at rest; None: its frames are encoded like all others. `is_intra` says
    that all frames are key frames, `alternates_ids` that consecutive key frames have ids that must differ.
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
    rest_options: Mapping[str, str] | None = None
    is_intra: bool = False
    alternates_ids: bool = False
    is_small: bool = False


def codec_of(options: OutputOptions, *, width: int, has_alpha: bool, moves: bool = True) -> Codec:
    """Return the codec of a video or GIF that is `width` pixels wide; `moves` is whether its text does."""
    match options.format:
        case OutputFormat.H264:
            return _h264(options, moves=moves)
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


def _h264(options: OutputOptions, *, moves: bool) -> Codec:
    """Return the codec of H.264. Text at rest has a constant quantiser, which takes a quarter less time."""
    params = _X264_PARAMS if moves else _X264_STILL_PARAMS
    codec = _mp4("libx264", options, {"preset": "veryfast", "profile": "high", "x264-params": params})
    qp = max(1, int(codec.options.get("crf", 0)) - _X264_CRF_TO_QP)
    params = f"{_X264_STILL_PARAMS}:qp={qp}:ipratio=1:pbratio=1"
    at_rest = None if codec.rest_options is None else {"x264-params": params, "forced-idr": "1"}
    return replace(codec, rest_options=at_rest, alternates_ids=True, is_small=True)


def _mp4(encoder: str, options: OutputOptions, settings: Mapping[str, str], *, tag: str | None = None) -> Codec:
    return Codec(
        encoder=encoder,
        container="mp4",
        pixel_format="yuv420p",
        options={**settings, **_quality(options)},
        container_options={"movflags": "+faststart"},
        bitrate_bps=_bitrate_bps(options),
        tag=tag,
        rest_options={} if options.bitrate_kbps is None else None,
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
        rest_options={} if options.bitrate_kbps is None else None,
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
        rest_options={},
        is_intra=True,
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
