"""Lambda and S3 in virtual time, with the faults, delays and repetitions of one history."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from tests.simulation.chances import SCENARIOS, Chances
from tests.simulation.virtual_time import START, VirtualTimeLoop
from tests.support.lambda_function import LambdaFunction, function_named
from tests.support.lambda_player import take_step
from tests.support.lambda_progress import JSON
from tests.support.lambda_renders import Render, State
from tests.support.lambda_scenarios import Scenario
from tests.support.lambda_server import FUNCTION
from tests.support.remotion_farm import BUCKET
from tests.support.s3_regions import RegionalS3
from tests.support.s3_server import S3_UNAVAILABLE

REGION = "us-east-1"
HOUR_S = 3600.0
MAX_QUEUED_S = 6 * HOUR_S


class Cloud:
    """The bucket and the function. `notify` receives the body of each webhook, `on_step` each step of a launch."""

    def __init__(
        self,
        loop: VirtualTimeLoop,
        chances: Chances,
        *,
        notify: Callable[[Render], None],
        on_step: Callable[[Render], None],
    ) -> None:
        self.is_s3_available = True
        self.stored_at: dict[str, float] = {}
        self.output_keys: list[str] = []
        self._loop = loop
        self._chances = chances
        self._notify = notify
        self._on_step = on_step
        self._launched_at: dict[int, float] = {}
        self.s3 = RegionalS3({BUCKET: REGION})
        self.s3.now = self.now
        self.function = LambdaFunction(
            _FunctionStorage(self),
            function=function_named(FUNCTION, self.now),
            play=self._play,
        )

    def now(self) -> float:
        """Return the time of AWS, which no step of a machine's clock changes, in seconds since 1970."""
        return START.timestamp() + self._loop.time()

    def start(self, payload: JSON) -> JSON:
        """Perform a start with the launches and the scenario that the history chooses."""
        chances, function = self._chances, self.function
        function.seconds_per_render = chances.uniform(3, 70)
        function.steps = chances.one_of((1, 3, 6))
        delays = self._delays()
        function.launch_next_after(*delays)
        function.use_scenario_next(*(self._scenario() for _ in delays or (0,)))
        response = function.run(payload)
        if "renderId" in response:
            self.output_keys.append(payload["outName"]["key"])
        chances.log(f"start of {payload['outName']['key']}: {response.get('renderId')}, launched after {delays}")
        return response

    @property
    def unfinished(self) -> list[Render]:
        """The launches that are in Lambda's queue or run."""
        return [launch for launch in self.function.launches if launch.state is State.RUNNING]

    def is_live(self, launch: Render) -> bool:
        """Return whether a launch renders: it found no object under its key, has not ended and is not cancelled."""
        renders = launch.has_launched and launch.progress["renderMetadata"] and launch.state is State.RUNNING
        return bool(renders) and self.s3.get(BUCKET, launch.key("cancel.json")) is None

    def _delays(self) -> tuple[float, ...]:
        if self._chances.occurs("launch never delivered"):
            return ()
        first = 0.0
        if self._chances.occurs("launch delayed"):
            first = self._chances.one_of((self._chances.uniform(1, 300), self._chances.uniform(1, MAX_QUEUED_S)))
        if self._chances.occurs("launch duplicated"):
            return first, self._chances.one_of((self._chances.uniform(0, 200), self._chances.uniform(0, MAX_QUEUED_S)))
        return (first,)

    def _scenario(self) -> Scenario:
        return next(filter(self._chances.occurs, SCENARIOS), Scenario.SUCCESS)

    def _play(self, launch: Render, delay_s: float) -> None:
        self._schedule(launch, self._loop.time() + delay_s + launch.interval_s)

    def _schedule(self, launch: Render, due_s: float) -> None:
        self._loop.call_at(due_s, self._step, launch, due_s)

    def _step(self, launch: Render, due_s: float) -> None:
        """Take a step that was due at this time: AWS goes on while the machines are suspended."""
        began = self._launched_at.setdefault(id(launch), due_s)
        if due_s - began > launch.function.timeout_ms / 1000:
            launch.state = State.STALLED
            launch.to_do.clear()
            self._chances.log(f"{launch.id} exceeds the function's timeout")
        else:
            self._advance(launch)
        if launch.state is State.RUNNING or launch.to_do:
            self._schedule(launch, due_s + launch.interval_s)
        else:
            self._chances.log(f"{launch.id} of {launch.output[1]} ends: {launch.state.name}, {launch.scenario.name}")
            self._send_webhooks(launch)

    def _advance(self, launch: Render) -> None:
        had_begun = bool(launch.progress["renderMetadata"])
        is_early = self._chances.occurs("webhook early")
        with suppress(*S3_UNAVAILABLE):
            take_step(launch, send_early=self._notify if is_early else None)
        if launch.progress["renderMetadata"] and not had_begun:
            self._chances.log(f"{launch.id} begins to render {launch.output[1]}")
        self._on_step(launch)

    def _send_webhooks(self, launch: Render) -> None:
        times = 0 if self._chances.occurs("webhook lost") else 1 + self._chances.occurs("webhook doubled")
        for _ in range(times):
            delay_s = self._chances.uniform(0, 100) if self._chances.occurs("webhook late") else 0.1
            self._loop.call_later(delay_s, self._notify, launch)


class _FunctionStorage:
    """The objects as the function uses them: unavailable while S3 is."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def put(self, bucket: str, key: str, body: bytes, content_type: str = "") -> None:
        self._check()
        self._cloud.stored_at[key] = asyncio.get_running_loop().time()
        self._cloud.s3.put(bucket, key, body, content_type)

    def get(self, bucket: str, key: str) -> bytes | None:
        self._check()
        return self._cloud.s3.get(bucket, key)

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        self._check()
        return self._cloud.s3.keys(bucket, prefix)

    def delete(self, bucket: str, key: str) -> None:
        self._check()
        self._cloud.s3.delete(bucket, key)

    def _check(self) -> None:
        if not self._cloud.is_s3_available:
            raise ConnectionError("We encountered an internal error. Please try again.")  # S3's own words
