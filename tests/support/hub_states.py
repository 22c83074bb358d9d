"""States of renders, their publication and subscriptions, for tests of the hub."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import timedelta

from services.models import Caller, Failure, QuotaWindow, Render, RenderPhase
from services.ports import AttemptProgress
from services.realtime.hub import ProgressHub
from services.realtime.subscribers import RenderEvent
from services.renders import lifecycle
from tests.support.api_client import TEST_TIMEOUT_S
from tests.support.fake_clock import START_OF_TIME
from tests.support.memory_store import MemoryStore

NOW = START_OF_TIME
ANN = Caller(id="ann")
FAILURE = Failure(code="BROKEN", message="It broke.", retryable=True)


def launched(render: Render) -> Render:
    return lifecycle.launch(render, now=NOW)


def advanced(render: Render, frames: int) -> Render:
    progress = AttemptProgress(phase=RenderPhase.RENDERING_FRAMES, fraction=frames / 90, frames_rendered=frames)
    return lifecycle.advance(render, progress)


def failed(render: Render) -> Render:
    return lifecycle.fail(render, failure=FAILURE, now=NOW)


async def stored(store: MemoryStore, render: Render) -> Render:
    await store.add(render, QuotaWindow(owner=render.owner, limit=10_000, starts_at=NOW, length=timedelta(hours=1)))
    return render


async def changed(hub: ProgressHub, store: MemoryStore, render: Render) -> Render:
    assert await store.record(render)
    await hub.publish(render)
    return render


async def next_state(states: AsyncIterator[Render]) -> Render:
    async with asyncio.timeout(TEST_TIMEOUT_S):
        return await anext(states)


async def next_event(events: AsyncIterator[RenderEvent]) -> RenderEvent:
    async with asyncio.timeout(TEST_TIMEOUT_S):
        return await anext(events)


async def revisions_of(hub: ProgressHub, render: Render) -> list[int]:
    async with asyncio.timeout(TEST_TIMEOUT_S), aclosing(hub.subscribe(ANN, render.id)) as states:
        return [state.revision async for state in states]
