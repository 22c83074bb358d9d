"""The headers of a download, which a signed URL can override."""

from collections.abc import Mapping

from services.media import FORMATS
from services.storage.content_disposition import content_disposition

# The function stores each output with the media type that the package mime-types has for its extension, which for these
# is an unregistered one (audio/x-aac, audio/wave) that not all players accept.
_OVERRIDDEN = {row.extension: row.media_type for row in FORMATS.values() if row.extension in {"aac", "wav"}}


def response_headers(key: str, file_name: str | None) -> Mapping[str, str]:
    """Return the parameters of S3 for the response with an output: its media type, and its name if it is saved."""
    headers = {}
    if file_name is not None:
        headers["response-content-disposition"] = content_disposition(file_name, as_attachment=True)
    if (media_type := _OVERRIDDEN.get(key.rpartition(".")[2])) is not None:
        headers["response-content-type"] = media_type
    return headers
