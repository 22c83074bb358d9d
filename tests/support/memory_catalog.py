"""A `CatalogStore` in memory."""

from services.compositions.documents import encode_catalog
from services.compositions.ports import MAX_CLOCK_ERROR
from services.errors import StoreUnavailable
from services.models import Catalog
from services.ports import Clock


class MemoryCatalogStore:
    """A `CatalogStore` in memory. `unavailable` makes every call raise; `reads` counts the calls of `get`."""

    def __init__(self, clock: Clock) -> None:
        self.unavailable = False
        self.reads = 0
        self._clock = clock
        self._catalogs: dict[str, Catalog] = {}

    def _check(self) -> None:
        if self.unavailable:
            raise StoreUnavailable("the store is unavailable")

    async def get(self, site: str) -> Catalog | None:
        self._check()
        self.reads += 1
        return self._catalogs.get(site)

    async def put(self, catalog: Catalog) -> None:
        self._check()
        encode_catalog(catalog)
        stored = self._catalogs.get(catalog.site)
        latest = self._clock.now() + MAX_CLOCK_ERROR
        if stored is None or stored.discovered_at <= catalog.discovered_at or stored.discovered_at > latest:
            self._catalogs[catalog.site] = catalog
