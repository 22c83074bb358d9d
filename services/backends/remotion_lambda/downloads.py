"""The headers of a download, which a signed URL can override."""

from collections.abc import Mapping
from urllib.parse import quote

from services.media import FORMATS

# The function stores each output with the media type that the package mime-types has for its extension, which for these
# is an unregistered one (audio/x-aac, audio/wave) that not all players accept.
_OVERRIDDEN = {row.extension: row.media_type for row in FORMATS.values() if row.extension in {"aac", "wav"}}


def response_headers(key: str, file_name: str | None) -> Mapping[str, str]:
    """Return the parameters of S3 for the response with an output: its media type, and its name if it is saved."""
    media_type = _OVERRIDDEN.get(key.rpartition(".")[2])
    headers = {} if file_name is None else {"response-content-disposition": attachment(file_name)}
    return headers if media_type is None else {**headers, "response-content-type": media_type}


def attachment(file_name: str) -> str:
    """Return the header Content-Disposition for saving a file under a name (RFC 6266).

    Characters that a quoted string of HTTP can't contain safely are replaced in it; `filename*` has the exact name.
    """
    plain = "".join(each if " " <= each <= "~" and each not in '"\\%' else "_" for each in file_name)
    if plain == file_name:
        return f'attachment; filename="{plain}"'
    encoded = quote(file_name.encode("utf-8", "replace"), safe="!#$&+-.^_`|~")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"
