"""Reads the stored catalog in the process that needs it, and validates props against it."""

import asyncio
import logging
from collections.abc import Sequence

from services.compositions.ports import CatalogStore
from services.compositions.props import PropsValidator
from services.errors import PathProblem, StoreUnavailable
from services.models import Catalog, Composition
from services.ports import Clock

MAX_AGE_S = 5.0  # after which a process sees the compositions that a worker has discovered
RETRY_S = 1.0  # while there is no catalog, or the store is unavailable

log = logging.getLogger(__name__)


class KnownCompositions:
    """The compositions of one catalog. Their validators are compiled when first used."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._by_id = {composition.id: composition for composition in catalog.compositions}
        self._validators: dict[str, PropsValidator] = {}

    @property
    def ids(self) -> Sequence[str]:
        """The ids of all compositions, in the site's order."""
        return tuple(self._by_id)

    def get(self, composition_id: str) -> Composition | None:
        """Return a composition; None if the site has none with this id."""
        return self._by_id.get(composition_id)

    def validator(self, composition_id: str) -> PropsValidator:
        """Return the validator of a composition's props. Raises `KeyError` for an unknown id."""
        validator = self._validators.get(composition_id)
        if validator is None:
            validator = self._validators[composition_id] = PropsValidator(self._by_id[composition_id])
        return validator

    def problems(self, composition_id: str, props: object, *, path: str) -> Sequence[PathProblem]:
        """Return the problems of props for a composition. Raises `KeyError` for an unknown id."""
        return self.validator(composition_id).problems(props, path=path)


class CatalogReader:
    """The catalog of one site, read from the store at most every few seconds."""

    def __init__(self, store: CatalogStore, *, site: str, clock: Clock) -> None:
        self._store = store
        self._site = site
        self._clock = clock
        self._known: KnownCompositions | None = None
        self._next_read_s: float | None = None
        self._lock = asyncio.Lock()

    async def read(self) -> KnownCompositions | None:
        """Return the compositions; None if no worker has discovered them yet.

        If the store is unavailable, return what was read before. Raises `StoreUnavailable` if nothing was.
        """
        if self._is_due:
            async with self._lock:
                if self._is_due:
                    await self._read()
        return self._known

    @property
    def _is_due(self) -> bool:
        return self._next_read_s is None or self._clock.monotonic() >= self._next_read_s

    async def _read(self) -> None:
        try:
            catalog = await self._store.get(self._site)
        except StoreUnavailable as error:
            if self._known is None:
                raise
            log.warning("the catalog of compositions can't be read; the last one is used: %s", error)
            self._next_read_s = self._clock.monotonic() + RETRY_S
            return
        if catalog is None:
            self._known = None
        elif self._known is None or self._known.catalog != catalog:
            self._known = KnownCompositions(catalog)
        self._next_read_s = self._clock.monotonic() + (RETRY_S if catalog is None else MAX_AGE_S)
