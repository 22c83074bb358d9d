"""Conditional and range requests for a file: RFC 9110, sections 13 and 14."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

RANGE_SPEC = re.compile(r"(?P<first>\d{1,18})-(?P<last>\d{0,18})|-(?P<suffix>\d{1,18})", re.ASCII)
WEAK = "W/"


def has_failed_precondition(request: Mapping[str, str], response: Mapping[str, str]) -> bool:
    """Return whether a client wants only another version of the file than the one whose response has these headers."""
    if (wanted := request.get("if-match")) is not None:
        return wanted.strip() != "*" and response["etag"] not in [tag.strip() for tag in wanted.split(",")]
    until = _parse_date(request.get("if-unmodified-since", ""))
    modified = _parse_date(response["last-modified"])
    return until is not None and modified is not None and modified > until


def is_not_modified(request: Mapping[str, str], response: Mapping[str, str]) -> bool:
    """Return whether a client that sent these headers has the file whose response has these headers."""
    if (known := request.get("if-none-match")) is not None:
        tags = [tag.strip().removeprefix(WEAK) for tag in known.split(",")]
        return tags == ["*"] or response["etag"].removeprefix(WEAK) in tags
    since = _parse_date(request.get("if-modified-since", ""))
    modified = _parse_date(response["last-modified"])
    return since is not None and modified is not None and modified <= since


def satisfiable_ranges(value: str, *, size: int) -> str | None:
    """Return the value of a header `Range` without ranges that lie behind the end of a file of `size` bytes.

    Returns the value itself if all do, and None if it must be ignored: it is invalid, or has another unit than bytes.
    """
    unit, _, text = value.partition("=")
    specs = [RANGE_SPEC.fullmatch(spec.strip()) for spec in text.split(",") if spec.strip()]
    if unit.strip().lower() != "bytes" or not specs:
        return None
    kept = []
    for spec in specs:
        if spec is None or (spec["last"] and int(spec["last"]) < int(spec["first"])):
            return None
        if int(spec["suffix"]) > 0 if spec["suffix"] else int(spec["first"]) < size:
            kept.append(spec[0])
    return f"bytes={','.join(kept)}" if kept else value


def _parse_date(text: str) -> datetime | None:
    """Return the time of an HTTP date; None if it is invalid. All times are in UTC, as `-0000` says too."""
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
