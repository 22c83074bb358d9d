"""Quotas in MongoDB: numbered entries of each window, in the collection `renders`, so that a start writes one document.

A render is an entry of its window: its field `quota` has the window, its number in it, and how many units are used
after it. A unique index admits each number once. A start reads the window's latest entry and is stored as the next one.
If another call has stored that one meanwhile, the insert is rejected, and the start reads again. So the units are exact
without a transaction, and no two starts of a window get the same place in the queue.

A returned unit is an entry without a render, and a deleted render leaves one, so that no number is used twice. They
have no owner, and MongoDB deletes them after `ENTRY_RETENTION`.

Until version 0.3, the collection `quota` had the ids of the renders that use a unit, by window. They count until the
window has an entry, and are included in its first one.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pymongo import DESCENDING
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DuplicateKeyError, OperationFailure

from services.errors import StoreUnavailable
from services.models import QuotaWindow
from services.stores.mongo_connection import Database, Document, maybe_await
from services.stores.mongo_documents import NEWER
from services.stores.mongo_transactions import Calls, CallsOf, Transaction

ENTRY_VERSION = 1  # of the field; an entry of another version is neither read nor followed
ENTRY_RETENTION = timedelta(days=7)  # of an entry without a render; a window is at most a day long
LATEST_FIRST = [("quota.window", DESCENDING), ("quota.number", DESCENDING)]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaEntry:
    """The number of an entry, 0 for what precedes the first one, and the units that are used after it.

    `finish_key` is that of the owner's latest start; None if it must be read from the renders.
    """

    number: int
    used: int
    finish_key: int | None

    def next_field(self, window: QuotaWindow, *, units: int) -> Document:
        """Return the field `quota` of the last of this many renders that are stored after this entry."""
        return {
            "version": ENTRY_VERSION,
            "window": window_id(window),
            "length_s": window.length.total_seconds(),
            "number": self.number + units,
            "used": self.used + units,
        }


class MongoQuota:
    """The entries of all windows. The methods run inside a `mongo_operation`."""

    def __init__(self, database: Database) -> None:
        self._renders: AsyncCollection[Document] = database["renders"]
        self._older: AsyncCollection[Document] = database["quota"]
        self._has_older = True

    async def check_older(self) -> None:
        """Find out whether an older version has counted units; otherwise they are not read for each window."""
        self._has_older = await self._older.estimated_document_count() > 0

    async def latest(self, window: QuotaWindow) -> QuotaEntry:
        """Return the latest entry. Raises `StoreUnavailable` if a newer version has written it."""
        found = await self._latest(window_id(window), Calls)
        used = _used(found)
        # After a change of the windows' length, the owner's latest start may be in a later window.
        is_latest_start = found["quota"].get("length_s") == window.length.total_seconds()
        finish_key = found.get("finish_key") if is_latest_start else None
        return QuotaEntry(number=found["quota"]["number"], used=used, finish_key=finish_key)

    async def used(self, windows: Sequence[str]) -> Sequence[int | StoreUnavailable]:
        """Return the used units of the windows with these ids, or an error if a newer version has written them."""
        found: Mapping[str, Document]
        if len(windows) == 1:
            found = {windows[0]: await self._latest(windows[0], Calls)}
        else:
            found = await self._latest_of_each(windows)
        return [_used_or_error(found[window]) for window in windows]

    async def give_back(self, render_id: str, transaction: Transaction, *, now: datetime) -> None:
        """Return a render's unit to its window. If a newer version has written the latest entry, it stays used.

        The new entry has no finish key: if the latest start was this render, the last key is that of an earlier one.
        """
        found = await transaction.on(self._renders).find_one({"_id": render_id}, {"quota": True})
        if "quota" not in found:
            unit = {"renders": render_id}
            await transaction.on(self._older).update_one(unit, {"$pull": unit})
            return
        quota = (await self._latest(found["quota"]["window"], transaction.on))["quota"]
        if quota["version"] == ENTRY_VERSION:
            number, used = quota["number"] + 1, max(0, quota["used"] - 1)  # fewer than 0 only after an erasure
            entry = {
                "_id": f"-{quota['window']} {number}",  # before the ids of renders
                "quota": {**quota, "number": number, "used": used},
                "expires_at": now + ENTRY_RETENTION,
            }
            try:
                await transaction.on(self._renders).insert([entry])
            except DuplicateKeyError as error:  # MongoDB reports a conflict of transactions
                raise OperationFailure(str(error), details={"errorLabels": ["TransientTransactionError"]}) from error

    async def delete_render(self, conditions: Document, *, now: datetime) -> bool:
        """Delete the render that matches, except for its entry; return whether there was one."""
        found = await self._renders.find_one(conditions, {"quota": True, "finish_key": True})
        if found is None:
            return False
        if "quota" not in found:
            return (await self._renders.delete_one(conditions)).deleted_count == 1
        entry = {**found, "expires_at": now + ENTRY_RETENTION}
        return (await self._renders.replace_one(conditions, entry)).matched_count == 1

    async def _latest_of_each(self, windows: Sequence[str]) -> Mapping[str, Document]:
        """Return the latest entry of each window, without its finish key, or what precedes the first one.

        Two commands, since the first one reads only the index, whatever a server makes of it.
        """
        numbers = {"_id": "$quota.window", "number": {"$max": "$quota.number"}}
        of_windows: list[Document] = [{"$match": {"quota.window": {"$in": list(windows)}}}, {"$group": numbers}]
        latest = await (await maybe_await(self._renders.aggregate(of_windows))).to_list(None)
        found = {window: _before_entries(None) for window in windows}
        if entries := [{"quota.window": each["_id"], "quota.number": each["number"]} for each in latest]:
            documents = await self._renders.find({"$or": entries}, {"quota": True}).to_list(None)
            found |= {document["quota"]["window"]: document for document in documents}
        without = [window for window, entry in found.items() if not entry["quota"]["number"]]
        if without and self._has_older:
            older = await self._older.find({"_id": {"$in": without}}).to_list(None)
            found |= {document["_id"]: _before_entries(document) for document in older}
        return found

    async def _latest(self, window: str, calls_of: CallsOf) -> Document:
        """Return the quota and finish key of a window's latest entry, or what precedes the first one."""
        fields = {"quota": True, "finish_key": True}
        entry = await calls_of(self._renders).find_one({"quota.window": window}, fields, sort=LATEST_FIRST)
        if entry is None and self._has_older:
            return _before_entries(await calls_of(self._older).find_one({"_id": window}))
        return entry or _before_entries(None)


def _before_entries(older: Mapping[str, Any] | None) -> Document:
    """Return what precedes a window's entries: the units of renders that an older version has started."""
    counted = {} if older is None else older
    units = counted.get("used", 0) + len(counted.get("renders", ()))  # a number between versions 0.3 and 0.4
    return {"quota": {"version": ENTRY_VERSION, "number": 0, "used": units}}


def _used(entry: Document) -> int:
    """Return the used units after an entry. Raises `StoreUnavailable` if a newer version has written it."""
    quota = entry["quota"]
    if quota["version"] != ENTRY_VERSION:
        raise StoreUnavailable(f"the entry {quota['number']} of the quota window {quota['window']} {NEWER}")
    return int(quota["used"])


def _used_or_error(entry: Document) -> int | StoreUnavailable:
    try:
        return _used(entry)
    except StoreUnavailable as error:
        return error


def window_pattern(owner: str) -> str:
    """Return a regular expression for the ids of an owner's windows. `$` alone would match before a final newline."""
    return rf"^[-0-9T:]{{19}}Z {re.escape(owner)}$(?!\n)"


def window_id(window: QuotaWindow) -> str:
    """Return the id of a window."""
    return f"{window.starts_at:%Y-%m-%dT%H:%M:%SZ} {window.owner}"
