"""Validates output options against the table of formats, the composition and the limits of this deployment."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from services.errors import PathProblem
from services.media import (
    CLIENT_NAMES,
    FORMATS,
    TRANSPARENT_PROFILES,
    Format,
    Media,
    OutputFormat,
    OutputKind,
    OutputOptions,
    ProResProfile,
    output_media,
)
from services.renders.media_limits import MediaLimits

MAX_SIDE_PX = 8192
MAX_FPS = 120
MAX_SCALE = 16  # Remotion's: https://www.remotion.dev/docs/scaling
MAX_BITRATE_KBPS = {OutputKind.VIDEO: 500_000, OutputKind.AUDIO: 512}
MIN_BITRATE_KBPS = 8
MAX_NTH_FRAME = 1000
MAX_LOOPS = 65_535  # of the GIF's NETSCAPE extension, which has 16 bits
MAX_QUALITY = 100
MAX_CACHED = 100  # different options, of which most clients use only one or two

LABELS = {
    OutputFormat.H264: "H.264",
    OutputFormat.H265: "H.265",
    OutputFormat.PRORES: "ProRes",
    OutputFormat.WEBP: "WebP",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputTarget:
    """What the options are applied to. `media` is the composition's size and length; None if it is not known.

    If `is_exact`, these are final. Otherwise the props may change them, so limits on them are checked later, when the
    renderer reports the real ones; only sides that the options give or scale are checked at the start.
    """

    name: str
    formats: tuple[OutputFormat, ...]
    media: Media | None
    is_exact: bool


def output_problems(options: OutputOptions, target: OutputTarget, *, limits: MediaLimits) -> Iterator[PathProblem]:
    """Return all problems of the options, each with its path from the mutation's `input`."""
    row = FORMATS[options.format]
    own = _own_problems(options)
    is_available = options.format in target.formats
    if not is_available:
        allowed = ", ".join(name.name for name in target.formats)
        yield _problem(row, "format", f"{target.name} can't be rendered as {options.format.name}. Choose {allowed}.")
    yield from own
    if target.media is not None and is_available and not own:
        yield from _result_problems(options, row, target.media, target, limits)


@lru_cache(MAX_CACHED)
def _own_problems(options: OutputOptions) -> Sequence[PathProblem]:
    """Return the problems that the options have whatever they are applied to."""
    row = FORMATS[options.format]
    supported = OutputOptions(format=options.format, **{name: getattr(options, name) for name in row.options})
    return (*_unsupported(options, row), *_quality_problems(supported, row), *_range_problems(supported, row))


def label(name: OutputFormat) -> str:
    """Return the name of a format for people."""
    return LABELS.get(name, name.name)


def _problem(row: Format, option: str, message: str) -> PathProblem:
    return PathProblem(path=f"/output/{row.kind}/{CLIENT_NAMES.get(option, option)}", message=message)


def _unsupported(options: OutputOptions, row: Format) -> Iterator[PathProblem]:
    """Return a problem for each option that is set although the format doesn't have it."""
    for option in OutputOptions.__struct_fields__:
        value = getattr(options, option)
        if option != "format" and option not in row.options and value is not None and value is not False:
            name = CLIENT_NAMES.get(option, option)
            yield _problem(row, option, f"{label(options.format)} has no option `{name}`. Remove it.")


def _quality_problems(options: OutputOptions, row: Format) -> Iterator[PathProblem]:
    crf, bitrate = options.crf, options.bitrate_kbps
    if crf is not None and row.crf is not None and crf not in row.crf:
        yield _problem(
            row, "crf", f"{label(options.format)} accepts a `crf` from {row.crf[0]} to {row.crf[-1]}; lower is better."
        )
    if crf is not None and bitrate is not None:
        yield _problem(row, "crf", "`crf` and `bitrateKbps` exclude each other. Remove one.")
    highest = MAX_BITRATE_KBPS.get(row.kind)
    if bitrate is not None and highest and not MIN_BITRATE_KBPS <= bitrate <= highest:
        yield _problem(row, "bitrate_kbps", f"Choose a bit rate from {MIN_BITRATE_KBPS} to {highest} kbit/s.")
    if options.quality is not None and not 1 <= options.quality <= MAX_QUALITY:
        yield _problem(row, "quality", f"Choose a quality from 1 to {MAX_QUALITY}.")
    yield from _transparency_problems(options, row)


def _transparency_problems(options: OutputOptions, row: Format) -> Iterator[PathProblem]:
    profile = options.prores_profile
    if options.transparent and profile is not None and profile not in TRANSPARENT_PROFILES:
        names = " and ".join(name.name for name in ProResProfile if name in TRANSPARENT_PROFILES)
        yield _problem(row, "prores_profile", f"Only the profiles {names} can be transparent.")


def _range_problems(options: OutputOptions, row: Format) -> Iterator[PathProblem]:
    """Return the problems of options that are out of range for every composition."""
    fps, nth, loops, scale = options.fps, options.every_nth_frame, options.loops, options.scale
    if fps is not None and not (math.isfinite(fps) and 1 <= fps <= MAX_FPS):
        yield _problem(row, "fps", f"Choose from 1 to {MAX_FPS} frames per second.")
    if nth is not None and not 1 <= nth <= MAX_NTH_FRAME:
        yield _problem(row, "every_nth_frame", f"Choose a whole number from 1 to {MAX_NTH_FRAME}.")
    if loops is not None and not 0 <= loops <= MAX_LOOPS:
        yield _problem(row, "loops", f"Choose a whole number from 0 to {MAX_LOOPS}.")
    for option, pixels in (("width", options.width), ("height", options.height)):
        if pixels is not None and not 1 <= pixels <= MAX_SIDE_PX:
            yield _problem(row, option, f"Choose a {option} from 1 to {MAX_SIDE_PX} pixels.")
    if scale is not None and not (math.isfinite(scale) and 0 < scale <= MAX_SCALE):
        yield _problem(row, "scale", f"Choose a scale above 0, at most {MAX_SCALE}.")


def _result_problems(
    options: OutputOptions, row: Format, media: Media, target: OutputTarget, limits: MediaLimits
) -> Iterator[PathProblem]:
    """Return the problems of the output's size and length. The options' own ranges are correct."""
    if target.is_exact:
        yield from _frame_problems(options, row, media.frames)
    output = output_media(media, options)
    for option, pixels, given in (
        ("width", output.width, options.width or options.scale),
        ("height", output.height, options.height or options.scale),
    ):
        if pixels is not None and (target.is_exact or given is not None):
            yield from _side_problems(option, pixels, options, row)
    if target.is_exact and limits.is_too_large(output):
        yield PathProblem(path=f"/output/{row.kind}", message=limits.too_large)


def _frame_problems(options: OutputOptions, row: Format, frames: int) -> Iterator[PathProblem]:
    if options.frame is not None and not -frames <= options.frame < frames:
        choice = f"one from 0 to {frames - 1}, or from -{frames} to -1, counted from the end" if frames > 1 else "0"
        yield _problem(row, "frame", f"This frame does not exist. Choose {choice}.")


def _side_problems(option: str, pixels: int, options: OutputOptions, row: Format) -> Iterator[PathProblem]:
    if not row.min_side <= pixels <= MAX_SIDE_PX:
        allowed = f"It must be from {row.min_side} to {MAX_SIDE_PX}"
        yield _problem(row, option, f"The {option} would be {pixels} pixels. {allowed} for {label(options.format)}.")
    elif row.even and pixels % 2:
        yield _problem(
            row, option, f"{label(options.format)} needs an even {option}; this one would be {pixels} pixels."
        )
