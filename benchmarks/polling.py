"""The cost of polling renders on Lambda, compared with status invocations as in Remotion's documentation.

`python -m benchmarks.polling [runs]`. Only the CPU time (user and system) of the polling process is measured. Runs of
both methods alternate; the renders have the same length and are polled once a second.
"""

import asyncio
import json
import os
import resource
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import boto3
import uvloop
from botocore.config import Config

from benchmarks.render_farm import RenderFarm, render_farm
from services.backends.remotion_lambda.backend import LambdaBackend, open_lambda_backend
from services.backends.remotion_lambda.payloads import Target, status_payload
from services.clock import SystemClock
from services.ids import new_render_id
from services.models import Caller, Render
from services.ports import AttemptFinished, Observation
from services.realtime.pubsub import open_pubsub
from services.renders import lifecycle
from services.renders.requests import StartRequest
from services.runtime.services import compose
from services.settings import load_settings
from services.stores.sqlite import open_sqlite_store
from tests.conftest import PROPS
from tests.support.lambda_server import FUNCTION
from tests.support.remotion_farm import BUCKET, DEPLOYMENT

RENDERS = 30
LENGTH_S = 15.0
STEPS = 20
INTERVAL_S = 1.0
POLLS = 600
CONCURRENT_POLLS = 16
MANY = 500
MANY_LENGTH_S = 30.0

Poll = Callable[[Render], Awaitable[bool]]


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    with render_farm(seconds=LENGTH_S, steps=STEPS) as farm:
        os.environ.update(farm.urls)
        uvloop.run(_poll_every_second(farm, runs))
        uvloop.run(_poll_without_pause(runs))
    with render_farm(seconds=MANY_LENGTH_S, steps=STEPS) as farm:
        os.environ.update(farm.urls)
        uvloop.run(_run_many())


@asynccontextmanager
async def open_backend(*, capacity: int = 100) -> AsyncIterator[LambdaBackend]:
    deployment = replace(
        DEPLOYMENT, capacity=capacity, poll_interval=timedelta(seconds=INTERVAL_S), posters=False
    )  # a poster would be an additional invocation
    async with open_lambda_backend(deployment, clock=SystemClock(), check=False) as backend:
        yield backend


class StatusInvocations:
    """Polls with one boto3 client in threads of its own, which is faster than most programs poll."""

    def __init__(self) -> None:
        config = Config(max_pool_connections=CONCURRENT_POLLS)
        self._threads = ThreadPoolExecutor(CONCURRENT_POLLS)
        self._client = boto3.client(
            "lambda",
            region_name="us-east-1",
            aws_access_key_id="key",
            aws_secret_access_key="secret",  # noqa: S106
            config=config,
        )

    async def poll(self, render: Render) -> bool:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._invoke, render)

    def _invoke(self, render: Render) -> bool:
        target = Target(version="4.0.527", serve_url="", bucket=BUCKET)
        payload = status_payload(target, render_id=str(render.backend_render_id))
        response = self._client.invoke(FunctionName=FUNCTION, Payload=json.dumps(payload).encode())
        return bool(json.loads(response["Payload"].read())["done"])


async def _poll_every_second(farm: RenderFarm, runs: int) -> None:
    """Poll renders to their ends, once a second."""
    figures: defaultdict[str, list[tuple[float, float, float]]] = defaultdict(list)
    async with open_backend() as backend:

        async def ours(render: Render) -> bool:
            return isinstance(await backend.observe(render), AttemptFinished)

        for _ in range(runs):
            for name, poll in (
                ("progress files over HTTP", ours),
                ("status invocations with boto3", StatusInvocations().poll),
            ):
                renders = await asyncio.gather(*(_start(backend) for _ in range(RENDERS)))
                before, cpu = farm.request_counts(), _cpu_s()
                await asyncio.gather(*(_poll_to_the_end(poll, render) for render in renders))
                spent = _cpu_s() - cpu
                sent = {kind: count - before.get(kind, 0) for kind, count in farm.request_counts().items()}
                figures[name].append((1 + sent.get("status", 0) / RENDERS, sent.get("GET", 0) / RENDERS, spent))
    print(f"\n## Polling {RENDERS} renders of {LENGTH_S:.0f} s once a second, medians of {runs} alternating runs\n")
    print("| | invocations per render | S3 requests per render | CPU ms per render |\n|---|---:|---:|---:|")
    for name, measured in figures.items():
        invocations, requests, cpu_s = (statistics.median(column) for column in zip(*measured, strict=True))
        print(f"| {name} | {invocations:.1f} | {requests:.1f} | {cpu_s / RENDERS * 1000:.1f} |")
    (fewer, _, less), (more, _, much) = ([statistics.median(c) for c in zip(*m, strict=True)] for m in figures.values())
    print(f"| ratio | {more / fewer:.1f} times fewer | | {much / less:.1f} times less |")


async def _poll_without_pause(runs: int) -> None:
    """Poll as fast as possible, to measure the capacity of one core."""
    rates: defaultdict[str, list[float]] = defaultdict(list)
    async with open_backend() as backend:

        async def ours(render: Render) -> bool:
            return isinstance(await backend.observe(render), AttemptFinished)

        for _ in range(runs):
            render = await _start(backend)
            for name, poll in (
                ("progress files over HTTP", ours),
                ("status invocations with boto3", StatusInvocations().poll),
            ):
                cpu = _cpu_s()
                await asyncio.gather(
                    *(_poll_repeatedly(poll, render, POLLS // CONCURRENT_POLLS) for _ in range(CONCURRENT_POLLS))
                )
                rates[name].append(POLLS / (_cpu_s() - cpu))
    print(f"\n## Polls per second of one core, medians of {runs} alternating runs\n\n| | polls/s |\n|---|---:|")
    for name, measured in rates.items():
        print(f"| {name} | {statistics.median(measured):.0f} |")
    fast, slow = (statistics.median(measured) for measured in rates.values())
    print(f"| ratio | {fast / slow:.1f} times |")


@dataclass
class Timed:
    """The backend, with the times at which each render is polled."""

    backend: LambdaBackend
    polled_at: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def __getattr__(self, name: str) -> object:
        return getattr(self.backend, name)

    async def observe(self, render: Render, *, check_output: bool = False) -> Observation:
        self.polled_at[render.id].append(time.monotonic())
        return await self.backend.observe(render, check_output=check_output)


async def _run_many() -> None:
    """Run many renders concurrently on one worker, and measure the intervals between its polls."""
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(data_dir=folder, quota_limit=MANY, quota_window_s=86_400)
        clock = SystemClock()
        async with (
            open_backend(capacity=MANY) as backend,
            open_pubsub("memory://") as pubsub,
            open_sqlite_store(Path(folder) / "store.sqlite3", clock) as store,
        ):
            timed = Timed(backend)
            services = compose(
                settings,
                clock=clock,
                store=store,
                pubsub=pubsub,
                backend=timed,  # type: ignore[arg-type]  # a backend except for the types of __getattr__
                with_worker=True,
            )
            assert services.worker is not None
            request = StartRequest(animation=PROPS)
            ids = [(await services.renders.start(Caller(id="ann"), request)).render.id for _ in range(MANY)]
            cpu, started_at = _cpu_s(), time.monotonic()
            running = asyncio.create_task(services.worker.run())
            while await store.unfinished(["ann"], first=1):  # noqa: ASYNC110
                await asyncio.sleep(0.5)
            spent, took = _cpu_s() - cpu, time.monotonic() - started_at
            running.cancel()
            await asyncio.wait([running])
            ended = await store.get_many(ids)
    gaps = [b - a for times in timed.polled_at.values() for a, b in pairwise(times)]
    polls = sum(map(len, timed.polled_at.values()))
    complete = sum(render.status == "complete" and render.attempt == 1 for render in ended)
    print(f"\n## {MANY} renders of {MANY_LENGTH_S:.0f} s at once on one worker, a poll each {INTERVAL_S:.0f} s\n")
    print("| | |\n|---|---:|")
    print(f"| complete at the first attempt | {complete} of {MANY} |")
    print(f"| polls | {polls} in {took:.0f} s |")
    print(f"| between two polls of one render: median, 99 %, maximum | {_gaps(gaps)} |")
    print(f"| CPU of the worker, starts and store included | {spent:.1f} s, {spent / polls * 1000:.2f} ms per poll |")
    assert complete == MANY
    assert max(gaps) <= 2 * INTERVAL_S + 1, max(gaps)


def _gaps(gaps: list[float]) -> str:
    return f"{statistics.median(gaps):.2f}, {statistics.quantiles(gaps, n=100)[98]:.2f}, {max(gaps):.2f} s"


async def _start(backend: LambdaBackend) -> Render:
    now = SystemClock().now()
    render = Render(id=new_render_id(now), owner="ann", props=PROPS, created_at=now)
    launched = lifecycle.launch(render, now=now)
    return lifecycle.accept(launched, backend_render_id=await backend.start(launched))


async def _poll_to_the_end(poll: Poll, render: Render) -> None:
    while not await poll(render):  # noqa: ASYNC110  # polling is measured
        await asyncio.sleep(INTERVAL_S)


async def _poll_repeatedly(poll: Poll, render: Render, times: int) -> None:
    for _ in range(times):
        await poll(render)


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
