"""Posters: the function makes a still of each render's last frame, beside the video.

A poster is worth less than all else. It is asked for once, not before the video has frames, so that the functions that
draw those have found their room. What goes wrong with it is logged, and the render does without. Once the video is
there, it is waited for no longer than `PATIENCE_S`.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace

from services import models
from services.backends.remotion_lambda.answers import Crash, Refused, StillAnswer, parse_crash, parse_still
from services.backends.remotion_lambda.aws import CONNECTIONS, Aws, Invocation
from services.backends.remotion_lambda.deployment import Deployment
from services.backends.remotion_lambda.faults import AwsError, Meaning
from services.backends.remotion_lambda.payloads import folder, poster_key
from services.models import Render, RenderPhase
from services.ports import Clock, Finished, Observation, Progress

AT_ONCE = CONNECTIONS // 2  # so that starts find room
PATIENCE_S = 3.0

MakePayload = Callable[[Render], Mapping[str, object]]

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True, eq=False)
class Poster:
    """A poster that is being made, has been made, or could not be: then `settled` is set and `is_there` is not."""

    key: str
    is_there: bool = False
    cost_usd: float | None = None
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    is_wanted: bool = True


class Posters:
    """The posters of the renders that this process follows. `payload` makes what asks the function for one."""

    def __init__(self, deployment: Deployment, *, aws: Aws, clock: Clock, payload: MakePayload) -> None:
        self._deployment = deployment
        self._aws = aws
        self._clock = clock
        self._payload = payload
        self._room = asyncio.Semaphore(AT_ONCE)
        self._posters: dict[str, Poster] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def added_to(self, observation: Observation, render: Render) -> Observation:
        """Return the observation with what is known of the poster. Of a finished video, it is waited for, not long.

        The poster is begun in the background once there are frames, unless it was begun or is there.
        """
        match observation:
            case Finished(output=output):
                self._begin(render)
                output = models.replace(output, poster_key=await self._finished(render))
                return replace(observation, output=output, cost_usd=self._cost_usd(render, observation.cost_usd))
            case Progress(phase=phase):
                if phase is not RenderPhase.LAUNCHING:
                    self._begin(render)
                return replace(observation, cost_usd=self._cost_usd(render, observation.cost_usd))
        return observation

    def abandon(self, render: Render) -> None:
        """Forget the poster. If its render has ended without it, it is removed, though it may still have to come."""
        poster = self._posters.pop(render.id, None)
        if poster is None:
            return
        poster.is_wanted = False
        has_it = render.output is not None and render.output.poster_key is not None
        if render.status.is_terminal and not has_it:
            self._spawn(self._remove_later(poster))

    async def close(self) -> None:
        """Stop what is under way; what the function was asked for may still come."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, render: Render) -> None:
        if self._deployment.posters and render.id not in self._posters:
            poster = self._posters[render.id] = Poster(key=poster_key(render.id))
            self._spawn(self._make(render, poster))

    async def _finished(self, render: Render) -> str | None:
        poster = self._posters.get(render.id)
        if poster is None:
            return None
        await self._clock.wait(poster.settled, timeout_s=PATIENCE_S)
        return poster.key if poster.is_there else None

    def _cost_usd(self, render: Render, of_video_usd: float | None) -> float | None:
        """Return what video and poster cost together, as far as that is known, to a hundred-thousandth of a dollar."""
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
            async with self._room:
                still = await self._ask(render, poster) if poster.is_wanted else None
        except AwsError as error:
            log.warning("render %s gets no poster: %s", render.id, error)
            return
        finally:
            poster.settled.set()
        if still is not None:
            await self._remove(folder(still.render_id))

    async def _ask(self, render: Render, poster: Poster) -> StillAnswer | None:
        """Have the poster made, unless another process has done so; return the function's answer."""
        still = None
        if await self._aws.size(self._deployment.bucket, poster.key) is None:
            payload = json.dumps(self._payload(render)).encode()
            still = _still(await self._aws.invoke(self._deployment.function_name, payload))
            poster.cost_usd = still.estimated_price.usd
        poster.is_there = True
        return still

    async def _remove_later(self, poster: Poster) -> None:
        await poster.settled.wait()
        await self._remove(poster.key)

    async def _remove(self, prefix: str) -> None:
        """Remove what nobody needs; what can't be removed goes with the render, or is a file of a kilobyte."""
        try:
            await self._aws.delete_all(self._deployment.bucket, prefix)
        except AwsError as error:
            log.info("%s could not be removed: %s", prefix, error)


def _still(answer: Invocation) -> StillAnswer:
    """Return what the function tells of the poster it made. Raises `AwsError`."""
    try:
        told = parse_crash(answer.body) if answer.crashed else parse_still(answer.body)
    except ValueError as error:
        raise AwsError(f"the answer can't be understood: {answer.body[:500]!r}", Meaning.UNREADABLE) from error
    match told:
        case Crash():
            raise AwsError(f"the function crashed: {told.error_type}: {told.error_message}", Meaning.UNKNOWN)
        case Refused():
            raise AwsError(f"the function says: {told.message}", Meaning.UNKNOWN)
    return told
