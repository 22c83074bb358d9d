"""Reads the compositions of a Remotion site from the result of `getCompositions`.

The result comes from code of the site, so nothing in it is trusted: what can't be used is left out and logged. Schemas
come from the props of a hidden composition, which `@rendercast/remotion` adds to a site.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from services.compositions.json_limits import check_json, limit_problem
from services.compositions.json_schema.schema import MAX_SCHEMA_BYTES
from services.compositions.ports import MAX_CATALOG_BYTES
from services.media import OutputFormat, OutputKind, formats_of
from services.models import Composition, CompositionKind

RENDERCAST_COMPOSITION_ID = "rendercast"
MAX_COMPOSITIONS = 1000
MAX_DEFAULT_PROPS_BYTES = 256 * 1024
MAX_JSON_BYTES = MAX_CATALOG_BYTES // 2  # of all props and schemas: their quotes are escaped when they are stored

_MAX_ID_LENGTH = 200
_MAX_SIZE = 100_000  # pixels
_MAX_FPS = 1000
_MAX_FRAMES = 10_000_000  # 92 hours at 30 frames per second
_ID = re.compile(r"[a-zA-Z0-9\-\u4E00-\u9FFF]+")  # https://www.remotion.dev/docs/composition#id

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Description:
    """What the hidden composition reports about a composition."""

    schema: object = None
    is_dynamic: bool | None = None


def read_compositions(found: object, *, formats: frozenset[OutputFormat]) -> tuple[Composition, ...]:
    """Return the compositions, in the site's order, with those of the backend's `formats` that each can have.

    A composition of one frame is a STILL: Remotion does not report which component declared it. It has the formats of
    videos too if other props may give it more frames. Raises `ValueError` if `found` isn't a list.
    """
    if not isinstance(found, Sequence) or isinstance(found, str | bytes):
        raise ValueError("the list of compositions is not a list")  # noqa: TRY004  # outside data, not a caller's bug
    entries = [entry for entry in found if isinstance(entry, Mapping)]
    if len(entries) < len(found):
        log.warning(
            "%d entries of the list of compositions are not objects; they are ignored", len(found) - len(entries)
        )
    reader = _Reader(_descriptions(entries), formats)
    for entry in entries:
        if entry.get("id") != RENDERCAST_COMPOSITION_ID:
            reader.add(entry)
    if reader.surplus:
        log.warning("%d compositions are ignored: there are more than %d", reader.surplus, MAX_COMPOSITIONS)
    return tuple(reader.compositions.values())


class _Reader:
    def __init__(self, descriptions: Mapping[object, object], formats: frozenset[OutputFormat]) -> None:
        self.compositions: dict[str, Composition] = {}
        self.surplus = 0  # compositions after the last that can be used
        self._descriptions = descriptions
        self._formats = formats
        self._json_bytes = 0

    def add(self, entry: Mapping[object, object]) -> None:
        """Add the composition of an entry, unless it can't be used."""
        composition_id = entry.get("id")
        if not isinstance(composition_id, str) or not _is_id(composition_id):
            log.warning("a composition with the id %.100r is ignored: the id is not valid", composition_id)
        elif composition_id in self.compositions:
            log.warning("the composition %s is listed more than once; only the first one is used", composition_id)
        elif len(self.compositions) == MAX_COMPOSITIONS:
            self.surplus += 1
        elif composition := self._read(composition_id, entry):
            self.compositions[composition_id] = composition

    def _read(self, composition_id: str, entry: Mapping[object, object]) -> Composition | None:
        width, height = (_whole(entry.get(key), maximum=_MAX_SIZE) for key in ("width", "height"))
        frames = _whole(entry.get("durationInFrames"), maximum=_MAX_FRAMES)
        fps = _positive(entry.get("fps"), maximum=_MAX_FPS)
        if not (width and height and frames and fps):
            log.warning("the composition %s is ignored: its size, rate or duration is not valid", composition_id)
            return None
        kind = CompositionKind.STILL if frames == 1 else CompositionKind.VIDEO
        description = _description(self._descriptions.get(composition_id))
        default_props, props_schema = self._texts(composition_id, entry.get("defaultProps"), description.schema)
        return Composition(
            id=composition_id,
            kind=kind,
            width=width,
            height=height,
            fps=fps,
            duration_in_frames=frames,
            default_props=default_props,
            props_schema=props_schema,
            outputs=_outputs(self._formats, only_stills=kind is CompositionKind.STILL and not description.is_dynamic),
            is_dynamic=description.is_dynamic,
        )

    def _texts(self, composition_id: str, default_props: object, schema: object) -> tuple[str, str | None]:
        """Return the default props and the schema as JSON.

        Without its default props, a composition has no schema either, which would be applied to other props than those
        that are rendered.
        """
        props = _default_props(default_props)
        text = None if props is None else _schema(schema)
        if props is None:
            log.warning("the default props of %s can't be used, so its props are not checked", composition_id)
        elif schema is not None and text is None:
            log.warning("the schema of %s can't be used, so its props are not checked", composition_id)
        size = len(props or "") + len(text or "")
        if self._json_bytes + size > MAX_JSON_BYTES:
            log.warning("the schema of %s is left out: all together are larger than %d", composition_id, MAX_JSON_BYTES)
            return "{}", None
        self._json_bytes += size
        return props or "{}", text


def _outputs(formats: frozenset[OutputFormat], *, only_stills: bool) -> tuple[OutputFormat, ...]:
    """Return these formats in the order of `OutputFormat`."""
    chosen = formats & formats_of(OutputKind.STILL) if only_stills else formats
    return tuple(each for each in OutputFormat if each in chosen)


def _descriptions(entries: Sequence[Mapping[object, object]]) -> Mapping[object, object]:
    for entry in entries:
        props = entry.get("props")
        if entry.get("id") == RENDERCAST_COMPOSITION_ID and isinstance(props, Mapping):
            compositions = props.get("compositions")
            if isinstance(compositions, Mapping):
                return compositions
            log.warning("the composition %s has no valid `compositions` in its props", RENDERCAST_COMPOSITION_ID)
    return {}


def _description(value: object) -> _Description:
    if not isinstance(value, Mapping):
        return _Description()
    is_dynamic = value.get("calculatesMetadata")
    return _Description(value.get("schema"), is_dynamic if isinstance(is_dynamic, bool) else None)


def _is_id(text: str) -> bool:
    return len(text) <= _MAX_ID_LENGTH and _ID.fullmatch(text) is not None


def _positive(value: object, *, maximum: int) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 < value <= maximum else None


def _whole(value: object, *, maximum: int) -> int | None:
    number = _positive(value, maximum=maximum)
    return int(number) if number is not None and number.is_integer() else None


def _default_props(value: object) -> str | None:
    if value is None:
        return "{}"
    return check_json(value, max_bytes=MAX_DEFAULT_PROPS_BYTES)[0] if isinstance(value, dict) else None


def _schema(value: object) -> str | None:
    if not isinstance(value, dict) or limit_problem(value, max_bytes=MAX_SCHEMA_BYTES):
        return None
    try:
        text = orjson.dumps(value)
    except TypeError:
        return None
    return text.decode() if len(text) <= MAX_SCHEMA_BYTES else None
