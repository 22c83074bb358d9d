"""Batches of animations, and ends of their renders without a worker."""

from collections.abc import Sequence
from dataclasses import replace

from services import models
from services.models import Caller, Failure, Output, Render, RenderFilter
from services.models.batches import BatchProgress
from services.renders import lifecycle
from services.renders.batches import BatchService
from services.renders.pages import PageRequest
from services.renders.requests import BatchRequest, StartRequest
from tests.conftest import PROPS
from tests.support.worker_bench import ANN, Bench

BOB = Caller(id="bob")
HELLO = StartRequest(animation=PROPS)
OUTPUT = Output(bucket="fake", key="k.mp4", size_bytes=5)
BROKEN = Failure(code="BROKEN", message="It broke.", retryable=True)


def rows(*texts: str, **values: object) -> list[StartRequest]:
    return [replace(HELLO, animation=models.replace(PROPS, text=text), **values) for text in texts]  # type: ignore[arg-type]


def request(*texts: str, batch_id: str = "b", key: str | None = None) -> BatchRequest:
    return BatchRequest(batch_id=batch_id, renders=rows(*texts), idempotency_key=key)


async def stored(bench: Bench) -> Sequence[Render]:
    page = await bench.renders.list(ANN, PageRequest(last=100), matching=RenderFilter())
    return tuple(reversed(page.renders))


async def start(batches: BatchService, *texts: str, batch_id: str = "b") -> Sequence[Render]:
    return (await batches.start(ANN, request(*texts, batch_id=batch_id))).renders


async def launch(batches: BatchService, render: Render) -> Render:
    running = lifecycle.launch(render, now=batches.renders.clock.now())
    assert await batches.renders.store.record(running)  # without publishing it
    return running


async def end(batches: BatchService, render: Render, *, failure: Failure | None = None) -> None:
    """Launch the render, and end it."""
    now = batches.renders.clock.now()
    running = await launch(batches, render)
    if failure is None:
        ended = lifecycle.complete(running, output=OUTPUT, cost_usd=None, warnings=(), now=now)
    else:
        ended = lifecycle.fail(running, failure=failure, now=now)
    assert await batches.renders.record_all([ended])


def text_of(render: Render) -> str:
    assert render.props is not None
    return render.props.text


async def progress(batches: BatchService, batch_id: str = "b") -> BatchProgress:
    found = await batches.progress(ANN, batch_id)
    assert found is not None
    return found
