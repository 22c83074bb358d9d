"""Video sizes for the sites under test, and a site whose render backend the test controls."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from auth.authenticator import Authenticator
from auth.local_developer import LocalDeveloper
from services.clock import SystemClock
from services.compositions.remotion import read_compositions
from services.media import OutputFormat
from services.models import Composition, Download, Output, replace
from services.ports import Clock
from services.settings import CHECKOUT, load_settings
from tests.end_to_end.processes import quiet_window_s
from tests.support.api_compositions import catalog_of
from tests.support.api_server import open_faked, serve
from tests.support.fake_backend import ANIMATION, FakeBackend
from tests.support.memory_catalog import MemoryCatalogStore

SMALL = {"text_width": 320, "text_height": 180}
FULL = {"text_width": 1280, "text_height": 720}


REMOTION = CHECKOUT / "tests" / "data" / "remotion-compositions.json"


def remotion_compositions() -> tuple[Composition, ...]:
    """Return the compositions of a real Remotion project: Promo, Card (a still), Plain and Event (without schemas)."""
    answer = json.loads(REMOTION.read_text(encoding="utf-8"))["with_helper"]
    return read_compositions(answer, formats=frozenset(OutputFormat))


def large_compositions() -> tuple[Composition, ...]:
    """Return TextAnimation, eight compositions like Promo with default props of 200 KB, and the small one Plain."""
    promo, _, plain, _ = remotion_compositions()
    props = json.dumps({**json.loads(promo.default_props), "body": "x" * 200_000})
    large = [replace(promo, id=f"Promo{number}", default_props=props) for number in range(8)]
    return (ANIMATION, *large, plain)


class PageBackend(FakeBackend):
    """A fake backend whose outputs have URLs on the page's own server, `/outputs/…`, which tests route."""

    def sign(self, output: Output, *, expires_in: timedelta, file_name: str | None = None) -> Download:
        query = "" if file_name is None else f"?name={file_name}"
        return Download(url=f"/outputs/{output.key}{query}", expires_at=datetime.now(UTC) + expires_in)


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeSite:
    """A server in this process and its backend, which the test controls."""

    url: str
    backend: FakeBackend


@asynccontextmanager
async def open_fake_site(
    folder: Path,
    *,
    compositions: Sequence[Composition] = (ANIMATION,),
    clock: Clock | None = None,
    authenticate: Authenticator | None = None,
    **settings: object,
) -> AsyncIterator[FakeSite]:
    """Serve the studio with a fake backend, and with another clock than the system's if `clock` is given.

    By default it has one user, who needs no token.
    """
    given = {"acquire_interval_s": 0.05, "quota_window_s": quiet_window_s(), **settings}
    loaded = load_settings(data_dir=folder, poll_interval_s=0.05, **given)
    backend, clock = PageBackend(catalog=tuple(compositions)), clock or SystemClock()
    catalogs = MemoryCatalogStore(clock)
    await catalogs.put(catalog_of(backend, clock))
    async with (
        open_faked(loaded, backend, clock=clock, catalogs=catalogs) as services,
        serve(services, authenticate=authenticate or LocalDeveloper(services.settings.server)) as url,
    ):
        yield FakeSite(url=url, backend=backend)
