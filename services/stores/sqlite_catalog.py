"""The catalogs of compositions in the embedded store."""

import sqlite3

from services.compositions.ports import MAX_CLOCK_ERROR
from services.compositions.stored_documents import decode_catalog, encode_catalog
from services.models import Catalog
from services.ports import Clock
from services.stored_documents import SkippedDocuments
from services.stores.sqlite_connection import SqliteFile, to_ms


class SqliteCatalogStore:
    """A `CatalogStore` in the file of a `SqliteStore`; `services.compositions.ports` specifies the methods."""

    def __init__(self, file: SqliteFile, clock: Clock, skipped: SkippedDocuments) -> None:
        self._file = file
        self._clock = clock
        self._skipped = skipped

    async def get(self, site: str) -> Catalog | None:  # noqa: D102
        return await self._file.read(_get, self._skipped, site)

    async def is_newer(self, site: str) -> bool:  # noqa: ARG002, D102  # a file of a newer version is not opened
        return False

    async def put(self, catalog: Catalog) -> bool:  # noqa: D102
        latest_ms = to_ms(self._clock.now() + MAX_CLOCK_ERROR)
        values = (catalog.site, to_ms(catalog.discovered_at), encode_catalog(catalog), latest_ms)
        return await self._file.write(_put, values)


def _get(db: sqlite3.Connection, skipped: SkippedDocuments, site: str) -> Catalog | None:
    rows = db.execute("SELECT site, document FROM catalogs WHERE site = ?", (site,))
    return next(skipped.decode(rows, decode_catalog), None)


def _put(db: sqlite3.Connection, values: tuple[str, int, str, int]) -> bool:
    written = db.execute(
        """
        INSERT INTO catalogs VALUES (?, ?, ?) ON CONFLICT (site) DO UPDATE
        SET discovered_at = excluded.discovered_at, document = excluded.document
        WHERE catalogs.discovered_at <= excluded.discovered_at OR catalogs.discovered_at > ?
        """,
        values,
    )
    return written.rowcount == 1
