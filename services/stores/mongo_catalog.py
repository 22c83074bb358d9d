"""The catalogs of compositions: one document for each site in the MongoDB collection `catalogs`."""

from contextlib import suppress

from pymongo.errors import DuplicateKeyError

from services.compositions.ports import MAX_CLOCK_ERROR
from services.compositions.stored_documents import catalog_from_mapping, catalog_to_mapping
from services.models import Catalog
from services.stored_documents import SCHEMA_VERSION, SkippedDocuments
from services.stores.mongo_connection import (
    DEFAULT_DATABASE,
    Client,
    Document,
    ServerClock,
    mongo_operation,
    operation_timeout_s,
)
from services.stores.mongo_documents import READABLE, is_readable, readable, require_readable


class MongoCatalogStore:
    """A `CatalogStore` in MongoDB; `services.compositions.ports` specifies the methods."""

    def __init__(self, client: Client, clock: ServerClock, skipped: SkippedDocuments) -> None:
        self._catalogs = client.get_default_database(DEFAULT_DATABASE)["catalogs"]
        self._clock = clock
        self._skipped = skipped
        self._timeout_s = operation_timeout_s(client)

    async def get(self, site: str) -> Catalog | None:  # noqa: D102
        with mongo_operation(self._timeout_s):
            found = await self._catalogs.find_one({"_id": site})
        read = [] if found is None else readable([found], "catalog", catalog_from_mapping, self._skipped)
        return read[0] if read else None

    async def is_newer(self, site: str) -> bool:  # noqa: D102
        with mongo_operation(self._timeout_s):
            found = await self._catalogs.find_one({"_id": site}, {"schema": True})
        return found is not None and not is_readable(found)

    async def put(self, catalog: Catalog) -> bool:  # noqa: D102
        document = _document(catalog)
        replaceable = self._replaceable(catalog)
        with mongo_operation(self._timeout_s):
            for _ in range(2):  # the first try also conflicts with a concurrent insert of the site's first catalog
                with suppress(DuplicateKeyError):  # the stored catalog is not replaceable
                    await self._catalogs.replace_one(replaceable, document, upsert=True)
                    return True
            kept = await self._catalogs.find_one({"_id": catalog.site}, {"schema": True})
        if kept is not None:
            require_readable(kept)
        return False

    def _replaceable(self, catalog: Catalog) -> Document:
        """Return the condition of a stored catalog that this one replaces."""
        latest = self._clock.now() + MAX_CLOCK_ERROR
        is_earlier = [{"discovered_at": {"$lte": catalog.discovered_at}}, {"discovered_at": {"$gt": latest}}]
        return {**READABLE, "_id": catalog.site, "$or": is_earlier}


def _document(catalog: Catalog) -> Document:
    """Return the document of a catalog without `_id`."""
    return {
        "schema": SCHEMA_VERSION,
        "discovered_at": catalog.discovered_at,
        "catalog": catalog_to_mapping(catalog),
    }
