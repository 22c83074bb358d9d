"""What versions 1 to 3 of the documents have stored is read by this version, and gets its form when next written.

`tests/data/stored` has what Rendercast 0.2 (version 1), 0.3 (version 2) and the code before version 4 have stored of
the same five renders, in SQLite as SQL text and in MongoDB as extended JSON. Their code has written it. Version 3 also
has two of bob's: one waits for another attempt, one is leased to an older worker for 900 years.
"""

import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from bson import json_util
from pymongo import AsyncMongoClient

from services import stored_documents
from services.clock import SystemClock
from services.media import OutputFormat, OutputOptions
from services.models import TEXT_ANIMATION, AnimationStyle, QuotaWindow, Render, RenderFilter, RenderPhase, RenderStatus
from services.ports import AddOutcome, AttemptProgress, RenderStore
from services.renders import lifecycle
from services.stores.mongo import open_mongo_store
from services.stores.sqlite import open_sqlite_store
from services.webhooks.ports import Outbox
from tests.conftest import MakeRender
from tests.support.stored_renders import ALL, HOUR, NOW, added

STORED = Path(__file__).parents[2] / "data" / "stored"
WINDOW = QuotaWindow(owner="ann", limit=100, starts_at=datetime(2999, 1, 1, tzinfo=UTC), length=24 * HOUR)
S = RenderStatus
USED = {1: 4, 2: 3, 3: 3}  # units of quota; 0.2 did not return that of a failed render

pytestmark = pytest.mark.parametrize("version", [1, 2, 3])


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgraded:
    """A store that this version has opened on documents of an older one, and a way to read a stored document."""

    store: RenderStore
    outbox: Outbox
    url_or_path: str

    async def document(self, render_id: str) -> dict[str, Any]:
        """Return the stored form of a render; of MongoDB with the version."""
        if self.url_or_path.startswith("mongodb:"):
            async with AsyncMongoClient[dict[str, Any]](self.url_or_path) as client:
                found = await client.get_default_database()["renders"].find_one({"_id": render_id})
            assert found is not None
            return {"schema": found["schema"], **found["render"]}
        with closing(sqlite3.connect(self.url_or_path)) as connection:
            (text,) = connection.execute("SELECT document FROM renders WHERE id = ?", (render_id,)).fetchone()
        document: dict[str, Any] = json.loads(text)
        return document


@asynccontextmanager
async def sqlite(version: int, path: Path) -> AsyncIterator[Upgraded]:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((STORED / f"version_{version}.sql").read_text())
    async with open_sqlite_store(path, SystemClock(), webhooks_enabled=True) as store:
        yield Upgraded(store=store, outbox=store.outbox, url_or_path=str(path))


@asynccontextmanager
async def mongo(version: int, url: str) -> AsyncIterator[Upgraded]:
    collections = json_util.loads((STORED / f"version_{version}.json").read_text())
    async with AsyncMongoClient[dict[str, Any]](url) as client:
        for name, stored in collections.items():
            await client.get_default_database()[name].insert_many(stored)
    async with open_mongo_store(AsyncMongoClient, url, webhooks_enabled=True) as store:
        yield Upgraded(store=store, outbox=store.outbox, url_or_path=url)


@pytest.fixture(params=[sqlite, pytest.param(mongo, marks=pytest.mark.slow)])
async def upgraded(request: pytest.FixtureRequest, version: int, tmp_path: Path) -> AsyncIterator[Upgraded]:
    location = request.getfixturevalue("mongo_url") if request.param is mongo else tmp_path / "renders.sqlite3"
    async with request.param(version, location) as opened:
        yield opened


async def stored_renders(store: RenderStore) -> dict[RenderStatus, Render]:
    renders = await store.list(owner="ann", first=9, matching=ALL)
    return {render.status: render for render in renders}


async def test_all_renders_are_text_animations_in_h264(upgraded: Upgraded) -> None:
    renders = await stored_renders(upgraded.store)
    assert list(renders) == [S.QUEUED, S.RENDERING, S.CANCELLED, S.FAILED, S.COMPLETE]
    for render in renders.values():
        assert (render.composition_id, render.input_props, render.media) == (TEXT_ANIMATION, None, None)
        assert render.output_options == OutputOptions(format=OutputFormat.H264)
        assert render.props is not None
        assert (render.props.text, render.props.style) == ("Grüße 👋", AnimationStyle.TYPEWRITER)
        assert (render.total_frames, render.props.fps, render.running_s) == (120, 24, 0.0)
    assert upgraded.store.skipped_documents == 0


async def test_each_render_has_its_state(upgraded: Upgraded) -> None:
    renders = await stored_renders(upgraded.store)
    complete, failed, rendering = renders[S.COMPLETE], renders[S.FAILED], renders[S.RENDERING]
    assert complete.output is not None
    assert complete.output.key == f"rendercast/{complete.id}-1.mp4"
    assert complete.output.poster_key == f"rendercast/{complete.id}-poster.jpg"
    assert (complete.frames_rendered, complete.cost_usd) == (120, 0.0021)
    assert complete.warnings == ("Another font was used.",)
    assert failed.failure is not None
    assert (failed.failure.code, failed.failure.detail) == ("RENDERER_CRASHED", "exit 1")
    assert (rendering.progress, rendering.frames_rendered, rendering.backend_render_id) == (50, 60, "abc123")
    assert (renders[S.QUEUED].generation_id, renders[S.QUEUED].idempotency_key) == ("spring", "start:k")


async def test_the_quota_and_the_idempotency_key_still_count(
    upgraded: Upgraded, version: int, make_render: MakeRender
) -> None:
    queued = (await stored_renders(upgraded.store))[S.QUEUED]
    again = await upgraded.store.add(make_render(idempotency_key="start:k"), WINDOW)
    assert (again.outcome, again.render, again.used) == (AddOutcome.DUPLICATE, queued, USED[version])


async def test_a_worker_continues_the_render_and_it_gets_the_current_form(upgraded: Upgraded) -> None:
    renders = await stored_renders(upgraded.store)
    acquired = await upgraded.store.reacquire(worker="w", lease=HOUR)
    if acquired is not None and acquired.owner == "bob":  # its lease ended when the file was opened
        acquired = await upgraded.store.reacquire(worker="w", lease=HOUR)
    assert acquired == renders[S.RENDERING]
    progress = AttemptProgress(phase=RenderPhase.RENDERING_FRAMES, fraction=0.75, frames_rendered=90)
    advanced = lifecycle.advance(acquired, progress, running_s=1.5)
    assert await upgraded.store.record(advanced, worker="w", lease=HOUR)
    stored = await upgraded.document(acquired.id)
    assert stored.pop("schema", stored_documents.SCHEMA_VERSION) == stored_documents.SCHEMA_VERSION
    assert stored == stored_documents.to_mapping(advanced)
    assert stored["running_s"] == 1.5
    assert await upgraded.store.get(acquired.id, owner="ann") == advanced


async def test_a_document_that_is_not_written_keeps_its_form(upgraded: Upgraded, version: int) -> None:
    complete = (await stored_renders(upgraded.store))[S.COMPLETE]
    stored = await upgraded.document(complete.id)
    assert stored.pop("schema", version) == version
    assert stored.keys().isdisjoint({"batch_id"} if version == 3 else {"batch_id", "composition_id", "output_options"})


async def test_pending_webhook_messages_are_sent_with_the_same_renders(upgraded: Upgraded) -> None:
    renders = await stored_renders(upgraded.store)
    acquired = [await upgraded.outbox.acquire(worker="w", lease=HOUR) for _ in range(4)]
    sent = {message.render.status: message.render for message in acquired if message is not None}
    assert sent == {status: renders[status] for status in (S.COMPLETE, S.FAILED, S.CANCELLED)}


async def test_the_unit_of_a_render_that_is_cancelled_now_is_returned(upgraded: Upgraded, version: int) -> None:
    queued = (await stored_renders(upgraded.store))[S.QUEUED]
    assert await upgraded.store.record(lifecycle.cancel(queued, now=queued.created_at))
    assert await upgraded.store.quota_used(WINDOW) == USED[version] - 1


async def test_an_ended_render_can_be_deleted(upgraded: Upgraded) -> None:
    complete = (await stored_renders(upgraded.store))[S.COMPLETE]
    assert await upgraded.store.delete(complete.id, owner="ann")
    assert await upgraded.store.get(complete.id, owner="ann") is None


async def test_renders_that_were_queued_come_before_new_ones(
    upgraded: Upgraded, version: int, make_render: MakeRender
) -> None:
    queued = (await stored_renders(upgraded.store))[S.QUEUED]
    new = [await added(upgraded.store, make_render(owner=owner, at=NOW - HOUR)) for owner in ("ann", "cat")]
    while (left := await upgraded.store.reacquire(worker="w", lease=HOUR)) is not None:
        assert left.status is S.RENDERING
    acquired = [await upgraded.store.acquire(worker="w", lease=HOUR) for _ in range(5)]
    first, *rest = [render for render in acquired if render is not None]
    if version == 3:  # bob's was added before, and its delay is over
        assert (first.owner, first.attempt) == ("bob", 1)
        first, *rest = rest
    assert first == queued
    assert {render.id for render in rest} == {render.id for render in new}


async def test_a_render_of_a_worker_that_is_still_running_is_left_to_it(upgraded: Upgraded, version: int) -> None:
    acquired = [await upgraded.store.reacquire(worker="w", lease=HOUR) for _ in range(4)]
    running = sorted(render.owner for render in acquired if render is not None)
    is_left = version == 3 and upgraded.url_or_path.startswith("mongodb:")
    assert running == ["ann"] if is_left or version < 3 else ["ann", "bob"]


async def test_lists_by_composition_have_older_renders(upgraded: Upgraded) -> None:
    matching = RenderFilter(composition_id=TEXT_ANIMATION, statuses=frozenset({S.COMPLETE, S.QUEUED}))
    renders = await stored_renders(upgraded.store)
    assert await upgraded.store.list(owner="ann", first=9, matching=matching) == [
        renders[S.QUEUED],
        renders[S.COMPLETE],
    ]
    assert await upgraded.store.count(owner="ann", matching=RenderFilter(composition_id="Promo")) == 0
