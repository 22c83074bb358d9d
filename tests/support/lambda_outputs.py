"""The outputs of the Remotion Lambda function for tests: small files of each format, as the real one stores them."""

from collections.abc import Mapping
from typing import Any

from services.media import FORMATS, OutputFormat
from tests.support.lambda_progress import OUTPUT

# What Remotion stores: the media types of the package mime-types 2.1.34.
_CONTENT_TYPES = {row.extension: row.media_type for row in FORMATS.values()} | {
    "aac": "audio/x-aac",
    "wav": "audio/wave",
}


def output_content(payload: Mapping[str, Any]) -> bytes:
    """Return the output for a payload of a start or a still."""
    name = OutputFormat(payload.get("codec") or payload["imageFormat"])
    if name is OutputFormat.H264:
        return OUTPUT
    from tests.support.outputs import make_output  # noqa: PLC0415  # it imports the encoders, for half a second

    return make_output(name, transparent=str(payload.get("pixelFormat")).startswith("yuva"))


def content_type_of(key: str) -> str:
    """Return the media type with which the function stores an output."""
    return _CONTENT_TYPES.get(key.rpartition(".")[2], "application/octet-stream")
