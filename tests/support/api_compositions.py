"""The compositions of a site for tests of the API."""

import json

from services.media import OutputFormat, OutputKind, formats_of
from services.models import Catalog, Composition, CompositionKind
from services.ports import Clock
from tests.support.fake_backend import ANIMATION, FakeBackend

PROMO_SCHEMA = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "minLength": 1, "maxLength": 20},
        "size": {"type": "integer", "minimum": 1, "maximum": 5},
        "scenes": {
            "type": "array",
            "maxItems": 3,
            "items": {
                "type": "object",
                "properties": {"title": {"type": "string"}, "seconds": {"type": "number", "exclusiveMinimum": 0}},
                "required": ["title"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["title", "scenes"],
    "additionalProperties": False,
}
STILLS = tuple(name for name in OutputFormat if name in formats_of(OutputKind.STILL))


def composition(composition_id: str, **values: object) -> Composition:
    """Return a composition of 1280x720, 30 frames per second and 3 seconds without a schema, unless given."""
    given = {
        "kind": CompositionKind.VIDEO,
        "width": 1280,
        "height": 720,
        "fps": 30,
        "duration_in_frames": 90,
        "outputs": tuple(OutputFormat),
        "is_dynamic": False,
        **values,
    }
    return Composition(id=composition_id, **given)  # type: ignore[arg-type]


PROMO = composition("Promo", default_props=json.dumps({"size": 2, "scenes": []}), props_schema=json.dumps(PROMO_SCHEMA))
CARD = composition(
    "Card", kind=CompositionKind.STILL, width=800, height=600, duration_in_frames=1, outputs=STILLS, is_dynamic=None
)
ODD = composition("Odd", width=101, height=99)
FILM = composition("Film", duration_in_frames=601)  # a frame longer than the limit
WALL = composition("Wall", width=8000, height=8000)  # 5.76 billion pixels
REEL = composition("Reel", width=8001, height=8001, duration_in_frames=9000, is_dynamic=True)
COMPOSITIONS = (ANIMATION, PROMO, CARD, ODD, FILM, WALL, REEL)


def catalog_of(backend: FakeBackend, clock: Clock) -> Catalog:
    """Return the backend's catalog as a worker discovers it."""
    return Catalog(site=backend.site, version=backend.version, compositions=backend.catalog, discovered_at=clock.now())
