"""Posters: the function renders a still of each video's last frame, in an additional invocation.

A poster has the lowest priority. It is requested once, and only after the video has its first frames, so that the
functions that render the video have already been invoked. Its errors are logged, and the render ends without a poster.
When the video is stored, the poster is awaited for at most `MAX_WAIT_S`.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace

from services import models
from services.backends.remotion_lambda.aws import MAX_CONCURRENT_CALLS, Aws, Invocation
from services.backends.remotion_lambda.aws_errors import AwsError, AwsErrorKind
from services.backends.remotion_lambda.deployment import Deployment
from services.backends.remotion_lambda.payloads import folder, poster_key
from services.backends.remotion_lambda.responses import (
    ErrorResponse,
    FunctionCrash,
    StillResponse,
    parse_crash,
    parse_still,
)
from services.models import Render, RenderPhase
from services.ports import AttemptFinished, AttemptProgress, Clock, Observation

MAX_CONCURRENT_POSTERS = MAX_CONCURRENT_CALLS // 2  # the other half of the threads is reserved for starts
MAX_WAIT_S = 3.0

MakePayload = Callable[[Render], Mapping[str, object]]

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True, eq=False)
class Poster:
    """The state of a poster. `settled` is set when it is stored or has failed; then `is_stored` says which."""

    key: str
    is_stored: bool = False
    cost_usd: float | None = None
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    is_wanted: bool = True


class Posters:
    """The posters of the renders that this process polls. `payload` builds the function's payload for a poster."""

    def __init__(self, deployment: Deployment, *, aws: Aws, clock: Clock, payload: MakePayload) -> None:
        self._deployment = deployment
        self._aws = aws
        self._clock = clock
        self._payload = payload
        self._semaphore = asyncio.Semaphore(MAX_CONCURRENT_POSTERS)
        self._posters: dict[str, Poster] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def add_to(self, observation: Observation, render: Render) -> Observation:
        """Return the observation with the poster's key and cost added.

        Starts the poster in the background once the video has frames, unless it was started or is stored. For a
        finished video, waits for the poster for at most `MAX_WAIT_S`.
        """
        match observation:
            case AttemptFinished(output=output):
                self._start(render)
                output = models.replace(output, poster_key=await self._finished(render))
                return replace(observation, output=output, cost_usd=self._cost_usd(render, observation.cost_usd))
            case AttemptProgress(phase=phase):
                if phase is not RenderPhase.LAUNCHING:
                    self._start(render)
                return replace(observation, cost_usd=self._cost_usd(render, observation.cost_usd))
        return observation

    def abandon(self, render: Render) -> None:
        """Drop the poster's state. If its render has ended without it, delete the poster as soon as it is settled."""
        poster = self._posters.pop(render.id, None)
        if poster is None:
            return
        poster.is_wanted = False
        has_it = render.output is not None and render.output.poster_key is not None
        if render.status.is_terminal and not has_it:
            self._spawn(self._delete_when_settled(poster))

    async def close(self) -> None:
        """Cancel all tasks. The function may still store posters that were already requested."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, render: Render) -> None:
        if self._deployment.posters and render.id not in self._posters:
            poster = self._posters[render.id] = Poster(key=poster_key(render.id))
            self._spawn(self._make(render, poster))

    async def _finished(self, render: Render) -> str | None:
        poster = self._posters.get(render.id)
        if poster is None:
            return None
        await self._clock.wait(poster.settled, timeout_s=MAX_WAIT_S)
        return poster.key if poster.is_stored else None

    def _cost_usd(self, render: Render, of_video_usd: float | None) -> float | None:
        """Return the known cost of video and poster together, rounded to five decimals."""
        poster = self._posters.get(render.id)
        if poster is None or poster.cost_usd is None:
            return of_video_usd
        return round((of_video_usd or 0.0) + poster.cost_usd, 5)

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _make(self, render: Render, poster: Poster) -> None:
        try:
            async with self._semaphore:
                still = await self._request(render, poster) if poster.is_wanted else None
        except AwsError as error:
            log.warning("render %s has no poster: %s", render.id, error)
            return
        finally:
            poster.settled.set()
        if still is not None:
            await self._delete(folder(still.render_id))

    async def _request(self, render: Render, poster: Poster) -> StillResponse | None:
        """Invoke the function for the poster and return its response; None if another process has made the poster."""
        still = None
        if await self._aws.size(self._deployment.bucket, poster.key) is None:
            payload = json.dumps(self._payload(render)).encode()
            still = _parse_still(await self._aws.invoke(self._deployment.function_name, payload))
            poster.cost_usd = still.estimated_price.usd
        poster.is_stored = True
        return still

    async def _delete_when_settled(self, poster: Poster) -> None:
        await poster.settled.wait()
        await self._delete(poster.key)

    async def _delete(self, prefix: str) -> None:
        """Delete unneeded objects. An error is logged: a poster is deleted with its render, other files are tiny."""
        try:
            await self._aws.delete_all(self._deployment.bucket, prefix)
        except AwsError as error:
            log.info("%s could not be deleted: %s", prefix, error)


def _parse_still(invocation: Invocation) -> StillResponse:
    """Return the function's response to a poster. Raises `AwsError` for any other response."""
    try:
        response = parse_crash(invocation.body) if invocation.crashed else parse_still(invocation.body)
    except ValueError as error:
        raise AwsError(
            f"the response can't be parsed: {invocation.body[:500]!r}", AwsErrorKind.INVALID_RESPONSE
        ) from error
    match response:
        case FunctionCrash():
            crash = f"the function crashed: {response.error_type}: {response.error_message}"
            raise AwsError(crash, AwsErrorKind.UNKNOWN)
        case ErrorResponse():
            raise AwsError(f"the function reports: {response.message}", AwsErrorKind.UNKNOWN)
    return response
