"""The options of `rendercast render` that choose what is made, and the GraphQL input that they become."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import typer

from commands.client.props import Json
from services.media import CLIENT_NAMES, FORMATS, OutputFormat, OutputKind

# The values of --output, besides the names of the formats. Files with these extensions get the same formats.
ALIASES = {
    "mp4": OutputFormat.H264,
    "hevc": OutputFormat.H265,
    "webm": OutputFormat.VP9,
    "mov": OutputFormat.PRORES,
    "jpg": OutputFormat.JPEG,
}
NAMES = {**{name.value: name for name in OutputFormat}, **ALIASES}
# The options by their names in `OutputOptions`.
FLAGS = {
    "width": "--width",
    "height": "--height",
    "fps": "--fps",
    "scale": "--scale",
    "crf": "--crf",
    "bitrate_kbps": "--bitrate",
    "transparent": "--transparent",
    "muted": "--muted",
    "prores_profile": "--prores-profile",
    "every_nth_frame": "--every-nth-frame",
    "loops": "--loops",
    "frame": "--frame",
    "quality": "--quality",
}
# Without a format, the first of these that has all the options given.
DEFAULTS = (
    OutputFormat.H264,
    OutputFormat.VP9,
    OutputFormat.PRORES,
    OutputFormat.GIF,
    OutputFormat.PNG,
    OutputFormat.JPEG,
)


def read_format(output: str | None, file: Path | None) -> tuple[OutputFormat | None, Path | None]:
    """Return the format and the file that `--output` and `-o` choose.

    `--output` once was the long form of `-o`. It still is if its value can't be a format: hello.mp4, `-`, a folder.
    Raises `typer.BadParameter` for an unknown format.
    """
    if output is None:
        return _format_of(file), file
    if chosen := NAMES.get(output.lower()):
        return chosen, file
    if output and file is None and ("." in output or output == "-" or Path(output).is_dir()):
        return _format_of(Path(output)), Path(output)
    raise typer.BadParameter(f"Choose a format: {', '.join(NAMES)}.", param_hint="--output")


def output_input(chosen: OutputFormat | None, options: Mapping[str, object]) -> Json | None:
    """Return the GraphQL input of a format and its options; None if nothing is chosen.

    Options that are None or False are not chosen. Raises `typer.BadParameter` for an option that no format of this kind
    has; the server checks the others.
    """
    given = {name: value for name, value in options.items() if value is not None and value is not False}
    if chosen is None and not given:
        return None
    chosen = chosen or _default_format(given)
    kind = FORMATS[chosen].kind
    for name in given:
        if name not in _options_of(kind):
            formats = ", ".join(each.value for each in _formats_with(name))
            raise typer.BadParameter(
                f"{chosen.value} has no such option. These formats have it: {formats}.", param_hint=FLAGS[name]
            )
    fields: Json = {} if kind is OutputKind.GIF else {"format": chosen.name}
    return {kind.value: fields | {CLIENT_NAMES.get(name, name): value for name, value in given.items()}}


def _format_of(file: Path | None) -> OutputFormat | None:
    """Return the format of a file's extension; None if it has none of a format, or for a folder."""
    return None if file is None or file.is_dir() else NAMES.get(file.suffix.lower().removeprefix("."))


def _default_format(given: Mapping[str, object]) -> OutputFormat:
    for each in DEFAULTS:
        if FORMATS[each].options >= given.keys():
            return each
    flags = ", ".join(FLAGS[name] for name in given)
    raise typer.BadParameter(f"No format has all of these options: {flags}.", param_hint="--output")


def _formats_with(option: str) -> Iterator[OutputFormat]:
    return (name for name, row in FORMATS.items() if option in row.options)


def _options_of(kind: OutputKind) -> frozenset[str]:
    """Return the options of the GraphQL input of this kind: all those that a format of this kind has."""
    return frozenset().union(*(row.options for row in FORMATS.values() if row.kind is kind))
