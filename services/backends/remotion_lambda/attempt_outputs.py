"""The outputs of attempts: looks for them, and prevents that a stopped attempt starts to render later.

Lambda queues a launch that it can't run at once for up to six hours, and may deliver it twice
(https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html). The function does not render if an
object with the key of its output exists when it is launched. So an attempt is stopped by a fence: an empty object with
that key, stored only if there is no object yet. See docs/decisions/0014-stopping-attempts.md.
"""

import logging
from dataclasses import replace

from services.backends.remotion_lambda.keys import output_key
from services.backends.remotion_lambda.posters import Posters
from services.media import FORMATS, Media
from services.models import Output, Render, RenderPhase
from services.ports import AttemptFinished, AttemptMissing, AttemptProgress, Clock
from services.storage.aws_errors import AwsError, AwsErrorKind
from services.storage.s3 import ObjectStorage

MAX_LAUNCH_DELAY_S = 40.0  # with `MAX_END_DELAY_S` and some polls, less than the backend's `GRACE`
MAX_OUTPUT_WAIT_S = 60.0  # S3 shows a stored object at once; the time is for errors of S3 and of the function
MAX_END_DELAY_S = 20.0  # after its timeout, a function has certainly ended

_LAUNCHING = AttemptProgress(phase=RenderPhase.LAUNCHING, fraction=0.0, frames_rendered=0)

log = logging.getLogger(__name__)


class AttemptOutputs:
    """The outputs in one bucket, each with the key of its attempt. Every method raises `AwsError`."""

    def __init__(self, storage: ObjectStorage, *, bucket: str, posters: Posters, clock: Clock) -> None:
        self._storage = storage
        self._bucket = bucket
        self._posters = posters
        self._clock = clock
        self._unanswered_since_s: dict[str, float] = {}  # by render: when it was first observed without an id
        self._missing_since_s: dict[str, float] = {}  # by render: when it was first observed as ended, without output
        self._fenced_at_s: dict[str, float] = {}  # by render without an id: since when no launch renders

    async def find(
        self, render: Render, *, cost_usd: float | None = None, media: Media | None = None
    ) -> AttemptFinished | AttemptMissing | None:
        """Look for the object of the current attempt: an output, with its poster, or the fence of a stopped attempt.

        Return None if there is neither.
        """
        found = await self._find(render, render.attempt)
        return replace(found, cost_usd=cost_usd, media=media) if isinstance(found, AttemptFinished) else found

    def is_lost(self, render: Render) -> bool:
        """Return whether the output of an attempt that has ended has been missing for too long to appear."""
        now_s = self._clock.monotonic()
        return now_s - self._missing_since_s.setdefault(render.id, now_s) >= MAX_OUTPUT_WAIT_S

    async def fence(self, render: Render) -> AttemptFinished | None:
        """Store the fence of the current attempt, unless its output is stored already: then return it.

        Return the output of an earlier attempt if there is one: it may have replaced its fence. Without permission to
        store the fence, only look for outputs: the attempt may still be launched later.
        """
        newest = render.attempt - 1 if await self._store_fence(render) else render.attempt
        for attempt in range(newest, 0, -1):
            found = await self._find(render, attempt)
            if isinstance(found, AttemptFinished):
                return found
        return None

    async def observe_unanswered(self, render: Render) -> AttemptFinished | AttemptProgress:
        """Return the state of an attempt whose start had no response: finished, or possibly running.

        It is fenced after `MAX_LAUNCH_DELAY_S`: a launch that has begun by then ends before the time limit, although it
        can't be cancelled without Remotion's id, and one that is delivered later renders nothing.
        """
        now_s = self._clock.monotonic()
        waited_s = render.running_s + now_s - self._unanswered_since_s.setdefault(render.id, now_s)
        found = await self.find(render)
        if found is None and waited_s >= MAX_LAUNCH_DELAY_S and render.id not in self._fenced_at_s:
            found = await self.fence(render)  # once is enough, also if it is rejected
            self._fenced_at_s[render.id] = self._clock.monotonic()
        elif isinstance(found, AttemptMissing):
            self._fenced_at_s.setdefault(render.id, now_s)
        return found if isinstance(found, AttemptFinished) else _LAUNCHING

    def may_run(self, render: Render, *, timeout_s: float) -> bool:
        """Return whether a launch of an attempt without an id may have begun before its fence, and not have ended.

        The fence may be late: while S3 is unavailable or this process is suspended, none is stored.
        """
        fenced_at_s = self._fenced_at_s.get(render.id)
        return fenced_at_s is None or self._clock.monotonic() < fenced_at_s + timeout_s + MAX_END_DELAY_S

    def forget(self, render: Render) -> None:
        """Drop what is known about the render's attempt."""
        self._missing_since_s.pop(render.id, None)
        self._unanswered_since_s.pop(render.id, None)
        self._fenced_at_s.pop(render.id, None)

    async def _find(self, render: Render, attempt: int) -> AttemptFinished | AttemptMissing | None:
        key = _key(render, attempt)
        size_bytes = await self._storage.size(self._bucket, key)
        if not size_bytes:
            return None if size_bytes is None else AttemptMissing()
        output = Output(bucket=self._bucket, key=key, size_bytes=size_bytes)
        return AttemptFinished(output=await self._posters.create(render, output))

    async def _store_fence(self, render: Render) -> bool:
        """Return whether the fence was stored; False if there is an object already, or the permission is missing."""
        key = _key(render, render.attempt)
        try:
            return await self._storage.put_if_absent(self._bucket, key)
        except AwsError as error:
            if error.kind is not AwsErrorKind.REJECTED:
                raise
            log.warning(
                "render %s: %s can't be stored to stop attempt %d, which Lambda may therefore launch later. Grant "
                "s3:PutObject on rendercast/* to the AWS user (%s)",
                render.id,
                key,
                render.attempt,
                error,
            )
            return False


def _key(render: Render, attempt: int) -> str:
    return output_key(render.id, attempt, FORMATS[render.output_options.format].extension)
