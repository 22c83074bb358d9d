"""Keeps the stored catalog up to date: a background loop of workers."""

import asyncio
import logging

from services.background.backoff import backoff_s
from services.compositions.ports import CatalogStore
from services.errors import BackendUnavailable, StoreUnavailable
from services.models import Catalog, replace
from services.observability.metrics import Metrics
from services.ports import Clock, RenderBackend

CHECK_INTERVAL_S = 30.0  # between two requests for the site's version

log = logging.getLogger(__name__)


async def refresh_catalog(
    store: CatalogStore, backend: RenderBackend, clock: Clock, *, always: bool = False
) -> Catalog | None:
    """Discover the compositions if the site has another version than the stored catalog, or `always`.

    Return the catalog that is stored then; None, without a discovery, if a newer version of Rendercast has written it.
    Raises `BackendUnavailable` or `StoreUnavailable`; then the stored catalog is not changed.
    """
    stored = await store.get(backend.site)
    if stored is None and await store.is_newer(backend.site):
        return None
    version = await backend.site_version()
    if stored is not None and stored.version == version and not always:
        return stored
    compositions = await backend.compositions()
    found = Catalog(site=backend.site, version=version, compositions=compositions, discovered_at=clock.now())
    return await _put(store, found, former=stored)


async def _put(store: CatalogStore, catalog: Catalog, *, former: Catalog | None) -> Catalog:
    """Return the catalog that is stored now: this one, or one that another worker discovered after the former one."""
    if await store.put(catalog):
        log.info("compositions discovered: %s", ", ".join(each.id for each in catalog.compositions) or "none")
        return catalog
    kept = await store.get(catalog.site)
    if former is None or kept != former:
        return kept or catalog
    # The former one has the time of a clock that is ahead of this one, but was discovered before.
    return await _put(store, replace(catalog, discovered_at=former.discovered_at), former=None)


class CatalogRefresher:
    """Discovers the compositions at the start, and again whenever the site changes. A `BackgroundLoop`.

    It checks the site every `CHECK_INTERVAL_S`, and at once if `changed` is set. It clears that.
    While the stored catalog is of a newer version of Rendercast, which the store logs once, it does nothing.
    """

    def __init__(
        self,
        store: CatalogStore,
        backend: RenderBackend,
        *,
        clock: Clock,
        metrics: Metrics,
        changed: asyncio.Event | None = None,
    ) -> None:
        self._store = store
        self._backend = backend
        self._clock = clock
        self._metrics = metrics
        self._changed = changed or asyncio.Event()
        self.last_tick_s: float | None = None

    async def run(self) -> None:
        """Run until cancelled."""
        failures = 0
        while True:
            self.last_tick_s = self._clock.monotonic()
            failures = 0 if await self._refresh() else failures + 1
            self.last_tick_s = self._clock.monotonic()
            wait_s = backoff_s(failures) if failures else CHECK_INTERVAL_S
            await self._clock.wait(self._changed, timeout_s=wait_s)
            self._changed.clear()

    async def _refresh(self) -> bool:
        """Return whether there was no error."""
        try:
            catalog = await refresh_catalog(self._store, self._backend, self._clock)
        except (BackendUnavailable, StoreUnavailable) as error:
            self._metrics.catalog_refresh_failed()
            log.warning("the compositions can't be discovered; the last catalog stays in use: %s", error)
            return False
        if catalog is not None:
            self._metrics.catalog_refreshed(len(catalog.compositions))
        return True
