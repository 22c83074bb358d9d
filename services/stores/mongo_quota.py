"""The collection `quota`: one document for each window of an owner, with the ids of the renders that use a unit."""

import re
from datetime import timedelta

from pymongo.asynchronous.collection import AsyncCollection

from services.documents import SCHEMA_VERSION
from services.models import QuotaWindow, Render
from services.stores.mongo_connection import Document
from services.stores.mongo_documents import READABLE, require_readable
from services.stores.mongo_transactions import Session

UNIT_RETENTION = timedelta(days=7)  # after the end of a quota window; then its document is deleted


class MongoQuota:
    """The units of quota in MongoDB. The methods run inside a `mongo_operation`."""

    def __init__(self, collection: AsyncCollection[Document]) -> None:
        self._quota = collection

    async def used(self, window: QuotaWindow, session: Session | None = None) -> int:
        """Return the number of used units. Raises `StoreUnavailable` for a document of a newer version."""
        found = await self._quota.find_one({"_id": _id(window)}, session=session)
        if found is None:
            return 0
        require_readable(found)
        return len(found["renders"])

    async def take(self, render: Render, window: QuotaWindow, session: Session) -> None:
        """Let the render use a unit of the window."""
        await self._quota.update_one(
            {"_id": _id(window)},
            {
                "$set": {"schema": SCHEMA_VERSION},
                "$push": {"renders": render.id},
                "$setOnInsert": {"expires_at": window.ends_at + UNIT_RETENTION},
            },
            upsert=True,
            session=session,
        )

    async def give_back(self, render: Render, session: Session | None) -> None:
        """Return the render's unit, if it uses one."""
        unit = {"renders": render.id}
        await self._quota.update_one({**unit, **READABLE}, {"$pull": unit}, session=session)


def window_pattern(owner: str) -> str:
    """Return a regular expression for the ids of an owner's windows. `$` alone would match before a final newline."""
    return rf"^[-0-9T:]{{19}}Z {re.escape(owner)}$(?!\n)"


def _id(window: QuotaWindow) -> str:
    return f"{window.starts_at:%Y-%m-%dT%H:%M:%SZ} {window.owner}"
