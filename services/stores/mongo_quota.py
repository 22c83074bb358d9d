"""The collection `quota`: one document for each window of an owner, with the number of used units.

It also has the finish key of the window's latest start, unless a unit was returned since. The owner has no higher one,
since each start has a higher one than those before it. So a start need not look for the highest among the renders.

A document of a version before 4 has the ids of the renders that use a unit instead. They still count until the window
is over, and such a render is removed from the list when its unit is returned.
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pymongo import ReturnDocument
from pymongo.asynchronous.collection import AsyncCollection

from services.documents import SCHEMA_VERSION
from services.models import QuotaWindow
from services.stores.mongo_connection import Document
from services.stores.mongo_documents import READABLE, require_readable
from services.stores.mongo_transactions import Transaction

UNIT_RETENTION = timedelta(days=7)  # after the end of a quota window; then its document is deleted


class MongoQuota:
    """The units of quota in MongoDB. The methods run inside a `mongo_operation`."""

    def __init__(self, collection: AsyncCollection[Document]) -> None:
        self._quota = collection

    async def used(self, window: QuotaWindow) -> int:
        """Return the number of used units. Raises `StoreUnavailable` for a document of a newer version."""
        return used_units(await self._quota.find_one({"_id": window_id(window)}))

    async def take(
        self, window: QuotaWindow, units: int, *, virtual_time: int, cost: int, transaction: Transaction
    ) -> tuple[int, int | None]:
        """Use units of the window, whatever its limit; return the number used before and the last finish key, if known.

        The new finish key is `cost` after the later of that and the virtual time. Raises `StoreUnavailable` for a
        document of a newer version. The caller must then abort the transaction.
        """
        expires_at = window.ends_at + UNIT_RETENTION
        change = {
            "schema": SCHEMA_VERSION,
            "used": {"$add": [{"$ifNull": ["$used", 0]}, units]},
            "finish_key": {"$add": [{"$max": [virtual_time, "$finish_key"]}, cost]},
            "expires_at": {"$ifNull": ["$expires_at", expires_at]},
        }
        before = await transaction.on(self._quota).find_one_and_update(
            {"_id": window_id(window)}, [{"$set": change}], upsert=True, return_document=ReturnDocument.BEFORE
        )
        used = used_units(before)
        # After a change of the window's length, the document may be that of an earlier, shorter window.
        is_of_window = before is not None and before.get("expires_at") == expires_at
        return used, before.get("finish_key") if is_of_window else None

    async def set_finish_key(self, window: QuotaWindow, finish_key: int, transaction: Transaction) -> None:
        """Store the finish key of a start for which `take` has returned none."""
        change = {"$set": {"finish_key": finish_key}}
        await transaction.on(self._quota).update_one({"_id": window_id(window)}, change)

    async def give_back(self, render_id: str, quota_window: str | None, transaction: Transaction) -> None:
        """Return a render's unit to the window with this id, if that still exists; None: to that which lists it.

        The window's finish key is removed: if it is that of this render, the last one is an earlier one.
        """
        quota = transaction.on(self._quota)
        if quota_window is None:
            unit = {"renders": render_id}
            await quota.update_one({**unit, **READABLE}, {"$pull": unit})
            return
        taken = {"_id": quota_window, "used": {"$gt": 0}, **READABLE}
        await quota.update_one(taken, {"$inc": {"used": -1}, "$unset": {"finish_key": ""}})


def used_units(found: Mapping[str, Any] | None) -> int:
    """Return the used units of a window's document. Raises `StoreUnavailable` for one of a newer version."""
    if found is None:
        return 0
    require_readable(found)
    return int(found.get("used", 0)) + len(found.get("renders", ()))


def window_pattern(owner: str) -> str:
    """Return a regular expression for the ids of an owner's windows. `$` alone would match before a final newline."""
    return rf"^[-0-9T:]{{19}}Z {re.escape(owner)}$(?!\n)"


def window_id(window: QuotaWindow) -> str:
    """Return the id of a window's document."""
    return f"{window.starts_at:%Y-%m-%dT%H:%M:%SZ} {window.owner}"
