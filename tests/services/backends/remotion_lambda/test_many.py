"""Hundreds of concurrent renders on one worker. `MANY_RENDERS=500` is the complete run."""

import asyncio
import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from services.backends.remotion_lambda.backend import open_lambda_backend
from services.models import Caller, RenderStatus
from services.realtime.pubsub import open_pubsub
from services.renders.requests import StartRequest
from services.runtime.services import compose
from services.settings import load_settings
from tests.conftest import PROPS
from tests.support.lambda_faults import Fault
from tests.support.lambda_server import LambdaServer
from tests.support.memory_bucket import MemoryBucket
from tests.support.memory_store import MemoryStore
from tests.support.remotion_farm import FastClock, deployment_of

pytestmark = pytest.mark.slow

ANN = Caller(id="ann")
MANY = int(os.environ.get("MANY_RENDERS", "200"))
TIMEOUT_S = 300
FUNCTION = "remotion-render-4-0-527-mem2048mb-disk2048mb-900sec"  # on a busy machine, each render takes long


async def test_hundreds_of_renders_at_once_lose_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FastClock(speed=4)
    deployment = replace(deployment_of(FUNCTION, poll_interval=timedelta(seconds=1)), capacity=MANY)
    settings = load_settings(data_dir=tmp_path, quota_limit=MANY, quota_window_s=86_400)
    with (
        MemoryBucket() as bucket,
        LambdaServer(bucket, function_name=FUNCTION, seconds_per_render=4, steps=4) as function,
    ):
        monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", function.url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", bucket.url)
        function.fault(Fault.THROTTLED, times=20)
        async with (
            open_lambda_backend(deployment, clock=clock, check=False) as backend,
            open_pubsub("memory://") as pubsub,
        ):
            store = MemoryStore(clock)
            services = compose(settings, clock=clock, store=store, pubsub=pubsub, backend=backend, with_worker=True)
            assert services.worker is not None
            ids = [(await services.renders.start(ANN, StartRequest(animation=PROPS))).render.id for _ in range(MANY)]
            task = asyncio.create_task(services.worker.run())
            async with asyncio.timeout(TIMEOUT_S):
                while await store.unfinished([ANN.id], first=1):  # noqa: ASYNC110  # of the store
                    await asyncio.sleep(0.1)
            task.cancel()
            await asyncio.wait([task])
            renders = await store.get_many(ids)
    assert {(render.status, render.attempt) for render in renders} == {(RenderStatus.COMPLETE, 1)}
    assert len(renders) == len(function.renders) == MANY
    assert function.invocations["status"] == 0
