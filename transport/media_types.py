"""Content negotiation of GraphQL responses: RFC 9110, section 12.5.1."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

HTML = "text/html"
MAX_CACHED_LENGTH = 500  # characters of an `Accept` header; browsers and libraries send less
EXACT = 3  # the specificity of an item that names a type without a wildcard
SPECIFICATION = "subscriptionspec"  # the parameter of multipart/mixed that selects the protocol, in lower case


class MediaType(StrEnum):
    """A media type of results, in the order of preference for equal `q`."""

    JSON = "application/json"
    GRAPHQL_JSON = "application/graphql-response+json"
    EVENT_STREAM = "text/event-stream"
    MULTIPART = "multipart/mixed"

    @property
    def is_stream(self) -> bool:
        """Whether a response of this type can have several results."""
        return self in {MediaType.EVENT_STREAM, MediaType.MULTIPART}


DEFAULTS = (MediaType.JSON, MediaType.GRAPHQL_JSON)  # without a header
COMMON: Mapping[str, Sequence[MediaType]] = {"": DEFAULTS, "*/*": DEFAULTS, MediaType.JSON: (MediaType.JSON,)}


@dataclass(frozen=True, slots=True)
class _Range:
    """One item of an `Accept` header."""

    name: str
    parameters: Mapping[str, str]
    quality: float
    position: int

    def specificity(self, media_type: str) -> int:
        """Return how specifically the item names a media type; 0 if it does not match."""
        main_type = media_type.partition("/")[0]
        return {media_type: EXACT, f"{main_type}/*": 2, "*/*": 1}.get(self.name, 0)


def negotiate(accept: str) -> Sequence[MediaType]:
    """Return the acceptable media types of results, the preferred first. Empty: none is supported.

    Those with the same `q` are in the header's order. Streams, which may not end, are only for clients that name them.
    """
    common = COMMON.get(accept)
    if common is not None:
        return common
    return _negotiate_cached(accept) if len(accept) <= MAX_CACHED_LENGTH else _negotiate(accept)


def accepts_html(accept: str) -> bool:
    """Return whether the header names HTML, as a browser's does when it opens a page."""
    return HTML in accept.lower() and any(each.name == HTML and each.quality > 0 for each in _parse(accept))


def _negotiate(accept: str) -> Sequence[MediaType]:
    ranges = _parse(accept)
    found: list[tuple[float, int, MediaType]] = []
    for media_type in MediaType:
        matching = [each for each in ranges if _matches(each, media_type)]
        if matching:
            best = max(matching, key=lambda each: each.specificity(media_type))
            if best.quality > 0:
                found.append((-best.quality, best.position, media_type))
    return [media_type for _, _, media_type in sorted(found, key=lambda each: each[:2])]


_negotiate_cached = lru_cache(maxsize=200)(_negotiate)


def _matches(accepted: _Range, media_type: MediaType) -> bool:
    if media_type is MediaType.MULTIPART and accepted.parameters.get(SPECIFICATION) != "1.0":
        return False
    return accepted.specificity(media_type) >= (EXACT if media_type.is_stream else 1)


def _parse(accept: str) -> Sequence[_Range]:
    ranges = []
    for position, item in enumerate(accept.split(",")):
        name, *texts = [part.strip() for part in item.split(";")]
        pairs = [text.partition("=") for text in texts]
        parameters = {key.strip().lower(): value.strip().strip('"') for key, _, value in pairs}
        ranges.append(_Range(name.lower(), parameters, _quality(parameters.get("q", "1")), position))
    return ranges


def _quality(text: str) -> float:
    """Return the weight of an item; an invalid one counts as 1."""
    try:
        quality = float(text)
    except ValueError:
        return 1.0
    return quality if 0 <= quality <= 1 else 1.0
