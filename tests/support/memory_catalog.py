"""A `CatalogStore` in memory."""

from datetime import timedelta

from services.compositions.ports import MAX_CLOCK_ERROR
from services.compositions.stored_documents import encode_catalog
from services.errors import StoreUnavailable
from services.models import Catalog
from services.ports import Clock


class MemoryCatalogStore:
    """A `CatalogStore` in memory. `unavailable` makes every call raise; `reads` counts the calls of `get`.

    Its clock is `clock_error` ahead of the given one. The catalogs of `newer_sites` are of a newer version.
    """

    def __init__(self, clock: Clock) -> None:
        self.unavailable = False
        self.reads = 0
        self.clock_error = timedelta(0)
        self.newer_sites: set[str] = set()
        self._clock = clock
        self._catalogs: dict[str, Catalog] = {}

    def _check(self) -> None:
        if self.unavailable:
            raise StoreUnavailable("the store is unavailable")

    async def get(self, site: str) -> Catalog | None:
        self._check()
        self.reads += 1
        return None if site in self.newer_sites else self._catalogs.get(site)

    async def is_newer(self, site: str) -> bool:
        self._check()
        return site in self.newer_sites

    async def put(self, catalog: Catalog) -> bool:
        self._check()
        encode_catalog(catalog)
        if catalog.site in self.newer_sites:
            raise StoreUnavailable("a newer version has written the catalog")
        stored = self._catalogs.get(catalog.site)
        latest = self._clock.now() + self.clock_error + MAX_CLOCK_ERROR
        if stored is not None and catalog.discovered_at < stored.discovered_at <= latest:
            return False
        self._catalogs[catalog.site] = catalog
        return True
