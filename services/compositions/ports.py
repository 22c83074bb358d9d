"""The port of the stored catalogs. All adapters pass `tests/services/stores/test_catalog_contract.py`."""

import asyncio
from datetime import timedelta
from typing import Protocol, runtime_checkable

from services.models import Catalog

# As JSON. A document of MongoDB can have 16 MiB, and a catalog of small compositions has a third more bytes as BSON.
MAX_CATALOG_BYTES = 12_000_000
MAX_CLOCK_ERROR = timedelta(minutes=5)  # of a stored `discovered_at`


@runtime_checkable
class WatchesSite(Protocol):
    """A backend that notices when its site changes. It sets `site_changed`, which the reader clears."""

    site_changed: asyncio.Event


class CatalogStore(Protocol):
    """Stores one catalog for each site. Any method may raise `StoreUnavailable`; a write then had no effect."""

    async def get(self, site: str) -> Catalog | None:
        """Return the site's catalog; None if there is none, or none that this version can read.

        One that a newer version has written, or that is damaged, is logged and counted once, as renders are.
        """
        ...

    async def is_newer(self, site: str) -> bool:
        """Return whether a newer version has written the site's catalog, so that this one can't replace it."""
        ...

    async def put(self, catalog: Catalog) -> bool:
        """Replace the site's catalog, unless the stored one was discovered later. Return whether it was stored.

        A `discovered_at` more than `MAX_CLOCK_ERROR` from now counts as earlier: it comes from a wrong clock. Raises
        `StoreUnavailable` also if a newer version has written the stored catalog, and for one of more than
        `MAX_CATALOG_BYTES`.
        """
        ...
