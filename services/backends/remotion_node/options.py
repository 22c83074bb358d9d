"""The output options of a render as options of `renderMedia` and `renderStill`: those that Lambda gets too."""

from collections.abc import Mapping

from services.backends.remotion_options import Capture, media_fields, still_fields
from services.media import FORMATS, Media, OutputKind, OutputOptions, forced_frames


def render_kind(options: OutputOptions) -> str:
    """Return which function of Remotion draws the output: `still` or `media`."""
    return "still" if FORMATS[options.format].kind is OutputKind.STILL else "media"


def render_options(
    options: OutputOptions, composition: Media, *, capture: Capture, license_key: str | None
) -> Mapping[str, object]:
    """Return the options, with `forceWidth` and the like, which the host applies to the composition."""
    if render_kind(options) == "still":
        fields = still_fields(options)
    else:
        fields = media_fields(options, capture=capture, forced_frames=forced_frames(composition, options))
    fields = {**fields, "licenseKey": license_key}
    is_jpeg = fields["imageFormat"] == "jpeg"  # Remotion rejects a quality for other frames
    return {name: value for name, value in fields.items() if value is not None and (is_jpeg or name != "jpegQuality")}
