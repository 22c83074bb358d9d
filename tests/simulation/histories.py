"""Random histories: workers, renders and the cloud in virtual time, with everything that can go wrong."""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, replace
from datetime import timedelta
from types import SimpleNamespace
from typing import cast
from unittest.mock import patch

import aiohttp
import botocore.endpoint
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import BotoCoreError
from botocore.httpsession import URLLib3Session

from services.backends.remotion_lambda.access import Access
from services.backends.remotion_lambda.aws import Aws
from services.backends.remotion_lambda.backend import LambdaBackend
from services.errors import RenderAlreadyFinished
from services.models import Caller, Render
from services.observability.metrics import Metrics
from services.ports import RenderStore
from services.realtime.hub import ProgressHub
from services.realtime.pubsub import PubSub, open_pubsub
from services.renders.quota import QuotaRule
from services.renders.requests import StartRequest
from services.renders.service import RenderService
from services.worker.run_context import RunLimits
from services.worker.worker import Worker, WorkerOptions
from tests.conftest import PROPS
from tests.simulation.chances import Chances, Kind
from tests.simulation.checks import CheckedStore
from tests.simulation.cloud import HOUR_S, MAX_QUEUED_S, Cloud
from tests.simulation.machine import MAX_STALL_S, Machine, StoreConnection
from tests.simulation.network import MACHINE, Network
from tests.simulation.virtual_time import VirtualClock, VirtualTimeLoop
from tests.support.lambda_renders import Render as Launch
from tests.support.limits import MEDIA_LIMITS, REQUEST_LIMITS
from tests.support.remotion_farm import DEPLOYMENT

ANN = Caller(id="ann")
QUOTA = QuotaRule(limit=100, window=timedelta(days=1))
DISTURBED_S = 900.0
TIME_LIMIT_S = 8 * HOUR_S
DEPLOYED = replace(
    DEPLOYMENT,
    poll_interval=timedelta(seconds=4),
    posters=False,
    webhook_base_url="https://rendercast.example",
    webhook_secret="secret",  # noqa: S106
)
# As with a function whose name does not state its timeout.
POLLED_BY_INVOCATION = replace(DEPLOYED, function=None, poll_interval=timedelta(seconds=10))
OPTIONS = WorkerOptions(
    lease=timedelta(seconds=15),
    poll_interval=timedelta(seconds=5),
    limits=RunLimits(queue_timeout=timedelta(hours=1), max_attempts=3, media=MEDIA_LIMITS),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a history, and the kinds of disturbances that were `seen` in it."""

    renders: tuple[Render, ...]
    violations: tuple[str, ...]
    trace: tuple[str, ...]
    seen: frozenset[Kind]


def run_history(seed: int, aws: Aws) -> Outcome:
    """Run the history of a seed to its end."""
    random.seed(seed)  # of the delays between retries
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(_History(seed, aws, cast("VirtualTimeLoop", runner.get_loop())).run())


class _History:
    def __init__(self, seed: int, aws: Aws, loop: VirtualTimeLoop) -> None:
        self._loop = loop
        self._aws = aws
        self._chances = Chances(seed)
        self._chances.now = loop.time
        self._clock = VirtualClock(loop)
        same_machine = self._chances.one_of((True, False))
        self._store = CheckedStore(self._clock if same_machine else VirtualClock(loop), self._chances)
        self._connections: list[StoreConnection] = []
        self._deployment = self._chances.one_of((*[DEPLOYED] * 5, POLLED_BY_INVOCATION))
        self._cloud = Cloud(loop, self._chances, notify=self._receive_webhook, on_step=self._store.check_live)
        self._store.cloud = self._cloud
        self._network = Network(loop, self._chances, self._cloud)
        self._machines: list[Machine] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> Outcome:
        no_wait = SimpleNamespace(time=time.time, sleep=self._loop.spend)
        with patch.object(URLLib3Session, "send", self._send), patch.object(botocore.endpoint, "time", no_wait):
            async with self._open_services() as (hub, pubsub, renders):
                self._hub = hub
                self._disturb()
                self._loop.call_delay_s = lambda: MACHINE.get().stall_s()
                for number in range(self._chances.one_of((1, 1, 2))):
                    self._spawn(self._keep_worker(str(number), pubsub))
                starts = [number * self._chances.uniform(0, 60) for number in range(self._chances.integer(1, 3))]
                await asyncio.gather(*(self._use(renders, after_s=start_s) for start_s in starts))
                await self._wait_for_the_end()
        store, chances = self._store, self._chances
        return Outcome(
            renders=tuple(store.seen.values()),
            violations=tuple(store.violations),
            trace=tuple(chances.trace),
            seen=frozenset(chances.seen),
        )

    def _send(self, request: AWSPreparedRequest) -> AWSResponse:
        """Send a request of boto3, and note errors that a network does not have."""
        try:
            return self._network.send(request)
        except BotoCoreError:
            raise
        except Exception as error:
            self._store.expect(False, f"the simulation raised {error!r}")  # noqa: FBT003
            raise

    @contextlib.asynccontextmanager
    async def _open_services(self) -> AsyncIterator[tuple[ProgressHub, PubSub, RenderService]]:
        self._metrics = Metrics()
        store = cast("RenderStore", self._store)
        async with open_pubsub("memory://") as pubsub:
            hub = self._new_hub(store, pubsub)
            yield (
                hub,
                pubsub,
                RenderService(
                    store=store,
                    backend=self._new_backend(),
                    hub=hub,
                    clock=self._clock,
                    metrics=self._metrics,
                    quota_rule=QUOTA,
                    limits=REQUEST_LIMITS,
                    download_expiry=timedelta(hours=1),
                ),
            )

    def _new_hub(self, store: RenderStore, pubsub: PubSub) -> ProgressHub:
        return ProgressHub(
            store=store,
            pubsub=pubsub,
            clock=self._clock,
            metrics=self._metrics,
            check_interval=timedelta(seconds=5),
        )

    def _new_backend(self) -> LambdaBackend:
        http = cast("aiohttp.ClientSession", self._network)
        access = Access(aws=self._aws, storage=self._aws, http=http, outputs_http=http)
        return LambdaBackend(self._deployment, access=access, clock=self._clock)

    def _new_worker(self, name: str, pubsub: PubSub) -> Worker:
        connection = StoreConnection(cast("RenderStore", self._store), self._chances)
        self._connections.append(connection)
        store = cast("RenderStore", connection)
        return Worker(
            worker_id=name,
            store=store,
            backend=self._new_backend(),
            hub=self._new_hub(store, pubsub),
            pubsub=pubsub,
            clock=self._clock,
            metrics=self._metrics,
            options=OPTIONS,
        )

    async def _keep_worker(self, number: str, pubsub: PubSub) -> None:
        """Run one worker after another, each until it crashes or is stopped."""
        for generation in range(100):
            crash_after = self._chances.integer(1, 200) if self._chances.occurs("worker crashes") else None
            machine = Machine(f"{number}-{generation}", self._chances, crash_after=crash_after)
            self._machines.append(machine)
            machine.start(self._new_worker(machine.name, pubsub).run)
            if self._chances.occurs("worker is stopped"):
                self._loop.call_later(self._chances.uniform(0, 300), self._stop, machine)
            await machine.ended.wait()
            await asyncio.sleep(self._chances.one_of((0.0, 5.0, self._chances.uniform(0, 200))))

    def _stop(self, machine: Machine) -> None:
        if not machine.ended.is_set():
            machine.stop()

    async def _use(self, renders: RenderService, *, after_s: float) -> None:
        """Start a render, and perhaps cancel it."""
        await asyncio.sleep(after_s)
        started = (await renders.start(ANN, StartRequest(animation=PROPS))).render
        self._store.seen.setdefault(started.id, started)
        if self._chances.occurs("user cancels"):
            await asyncio.sleep(self._chances.uniform(0, 300))
            self._chances.log("the user cancels")
            with contextlib.suppress(RenderAlreadyFinished):
                await renders.cancel(ANN, started.id)

    def _receive_webhook(self, launch: Launch) -> None:
        self._chances.log(f"webhook of {launch.id}")
        self._spawn(self._hub.notify_worker(launch.payload["webhook"]["customData"]["render"]))

    def _disturb(self) -> None:
        """Schedule the disturbances that the clock causes."""
        for kind, action in (
            ("S3 outage", self._interrupt_s3),
            ("store outage", self._interrupt_store),
            ("clock step forwards", lambda: self._clock.step(HOUR_S)),
            ("clock step backwards", lambda: self._clock.step(-HOUR_S)),
            ("suspension", lambda: self._loop.skip(150)),
        ):
            while self._chances.occurs(kind):
                until_s = self._chances.one_of((60.0, DISTURBED_S / 2))  # during the first attempt, or any
                self._loop.call_later(self._chances.uniform(0, until_s), self._traced, kind, action)
        self._loop.call_later(DISTURBED_S, setattr, self._chances, "quiet", True)  # noqa: FBT003

    def _traced(self, kind: str, action: Callable[[], None]) -> None:
        self._chances.log(kind)
        action()

    def _interrupt_s3(self) -> None:
        self._cloud.is_s3_available = False
        self._loop.call_later(self._chances.uniform(1, 400), setattr, self._cloud, "is_s3_available", True)  # noqa: FBT003

    def _interrupt_store(self) -> None:
        """Disconnect all machines from the store, or only one of them."""
        for connection in self._chances.one_of((self._connections, self._connections[-1:], self._connections[:1])):
            connection.is_available = False
            self._loop.call_later(self._chances.uniform(1, 100), setattr, connection, "is_available", True)  # noqa: FBT003

    async def _wait_for_the_end(self) -> None:
        """Wait until all renders have ended, then, without workers, until all launches have."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TIME_LIMIT_S):
                await self._store.wait_until_all_ended()
        for task in self._tasks:
            task.cancel()
        for machine in self._machines:
            self._stop(machine)
        await asyncio.sleep(MAX_STALL_S)  # until the last one has stopped
        while self._cloud.unfinished and self._loop.time() < TIME_LIMIT_S + MAX_QUEUED_S:  # noqa: ASYNC110  # rarely
            await asyncio.sleep(60)
        self._store.check_end()

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


logging.getLogger("asyncio").setLevel(logging.ERROR)
