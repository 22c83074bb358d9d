"""The props of a render as the function receives them: in the payload, or in S3 if they are too large for it."""

import json
from types import MappingProxyType

MAX_INLINE_UNITS = 193_976  # the official client's 200,000 less 5,000 and a webhook's 1,024, in UTF-16 code units
ENVIRONMENT = MappingProxyType[str, str]({})  # the compositions need no variables

PropsReference = dict[str, str]
"""The location of the composition's props: `inline` or `uploaded`."""


def needs_upload(props_json: str) -> bool:
    """Return whether the props are too large to be sent inline, so that they must be stored in S3 first."""
    return _units(props_json) + _units(json.dumps(dict(ENVIRONMENT))) > MAX_INLINE_UNITS


def inline(props_json: str) -> PropsReference:
    """Return a reference with the props in it."""
    return {"type": "payload", "payload": props_json}


def uploaded(props_hash: str, *, bucket: str) -> PropsReference:
    """Return a reference to props stored under `props_key`. The function deletes them: each render needs a new hash."""
    return {"type": "bucket-url", "hash": props_hash, "bucketName": bucket}


def _units(text: str) -> int:
    """Return the text's length in JavaScript, in UTF-16 code units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
