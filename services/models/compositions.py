"""Compositions, and the stored list of a site's compositions."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from services.media import Media, OutputFormat


class CompositionKind(StrEnum):
    """Whether a composition is animated. A STILL has one frame."""

    VIDEO = "video"
    STILL = "still"


class Composition(Struct, frozen=True, kw_only=True):
    """Something that the backend can render.

    `default_props` and `props_schema` are JSON texts: an object, and a JSON Schema (draft 2020-12) of the props; None
    if the site provides none. `outputs` are in the order of `OutputFormat`. If `is_dynamic`, its size and length may
    depend on the props (Remotion's `calculateMetadata`); None means that this is not known.
    """

    id: str
    kind: CompositionKind
    width: int
    height: int
    fps: float
    duration_in_frames: int
    default_props: str = "{}"
    props_schema: str | None = None
    outputs: tuple[OutputFormat, ...] = ()
    is_dynamic: bool | None = None

    @property
    def media(self) -> Media:
        """Its size and length with the default props."""
        return Media(frames=self.duration_in_frames, fps=self.fps, width=self.width, height=self.height)


class Catalog(Struct, frozen=True, kw_only=True):
    """The compositions of one site. `site` and `version` are those of the backend, see `RenderBackend`."""

    site: str
    version: str
    compositions: tuple[Composition, ...]
    discovered_at: datetime
