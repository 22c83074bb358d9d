"""A worker whose renders run on Lambda, and the calls of its user, for tests."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from services.clock import MAX_STEP_S
from services.media import OutputOptions
from services.models import AnimationProps, Caller, Catalog, Render, RenderStatus
from services.realtime.pubsub import open_pubsub
from services.renders.requests import CompositionRequest, StartRequest
from services.runtime.services import Services, compose
from services.settings import load_settings
from tests.conftest import PROPS
from tests.support.lambda_renders import State
from tests.support.lambda_scenarios import Scenario
from tests.support.memory_catalog import MemoryCatalogStore
from tests.support.memory_store import MemoryStore
from tests.support.remotion_farm import Farm

ANN = Caller(id="ann")
QUOTA = 1000
TIMEOUT_S = 120
POLL_INTERVAL_S = 0.02
STEP_S = MAX_STEP_S - 2  # the clock itself runs meanwhile
READ_INTERVAL_S = 0.1  # the worker reads the clock more often


@dataclass(frozen=True, slots=True)
class Run:
    """A worker on the farm, and the calls of its user."""

    farm: Farm
    services: Services

    @property
    def function_timeout_s(self) -> float:
        function = self.farm.deployment.function
        assert function is not None
        return function.timeout.total_seconds()

    async def start(self, props: AnimationProps = PROPS) -> str:
        return (await self.services.renders.start(ANN, StartRequest(animation=props))).render.id

    async def start_composition(self, name: str, props: object, output: OutputOptions | None = None) -> str:
        request = StartRequest(composition=CompositionRequest(id=name, props=props), output=output)
        return (await self.services.renders.start(ANN, request)).render.id

    async def get(self, render_id: str) -> Render:
        return await self.services.renders.get(ANN, render_id)

    async def until(self, render_id: str, reached: Callable[[Render], bool]) -> Render:
        """Return the render once `reached` is true of it."""
        async with asyncio.timeout(TIMEOUT_S):
            while not reached(render := await self.get(render_id)):
                assert not render.status.is_terminal, render
                await asyncio.sleep(POLL_INTERVAL_S)
        return render

    async def end(self, render_id: str) -> Render:
        """Return the render when it has ended."""
        return await self.until(render_id, lambda render: render.status.is_terminal)

    async def skip_function_timeout(self, render_id: str) -> None:
        """Wait until the function writes nothing more, and move the clock past its timeout."""
        await self.until(render_id, lambda render: render.backend_render_id is not None)
        (simulated,) = self.farm.function.renders.values()
        async with asyncio.timeout(TIMEOUT_S):
            while simulated.state is State.RUNNING and not (  # noqa: ASYNC110  # in a thread
                simulated.scenario is Scenario.CHUNK_HANGS and simulated.metadata
            ):
                await asyncio.sleep(POLL_INTERVAL_S)
        self.farm.clock.jump(self.function_timeout_s + 21)

    async def skip(self, seconds: float) -> None:
        """Let running time pass faster, in steps that the worker counts in full."""
        for _ in range(math.ceil(seconds / STEP_S)):
            self.farm.clock.jump(STEP_S)
            await asyncio.sleep(READ_INTERVAL_S)

    async def quota_used(self) -> int:
        quota = await self.services.renders.quota(ANN)
        return quota.limit - quota.remaining


def is_rendering(render: Render) -> bool:
    return render.status is RenderStatus.RENDERING


@asynccontextmanager
async def running_worker(farm: Farm, folder: Path) -> AsyncIterator[Run]:
    """Run one worker on the farm, whose compositions have been discovered."""
    settings = load_settings(data_dir=folder, quota_limit=QUOTA, quota_window_s=86_400, max_attempts=3)
    async with farm.open() as backend, open_pubsub("memory://") as pubsub:
        store = MemoryStore(farm.clock)
        catalogs = MemoryCatalogStore(farm.clock)
        compositions = await backend.compositions()
        await catalogs.put(
            Catalog(site=backend.site, version="1", compositions=compositions, discovered_at=farm.clock.now())
        )
        services = compose(
            settings,
            clock=farm.clock,
            store=store,
            catalogs=catalogs,
            pubsub=pubsub,
            backend=backend,
            with_worker=True,
        )
        assert services.worker is not None
        task = asyncio.create_task(services.worker.run())
        try:
            yield Run(farm, services)
        finally:
            task.cancel()
            await asyncio.wait([task])
