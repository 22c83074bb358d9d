"""Makes the previews of a job from frames that its host has drawn anyway."""

import asyncio
import logging
import time
from pathlib import Path

from services.backends.previews.publisher import PreviewPublisher
from services.backends.previews.schedule import MAX_PIXELS, PreviewSchedule
from services.backends.remotion_node.host_messages import FrameMessage
from services.backends.remotion_node.jobs import Job
from services.backends.remotion_node.processes import is_cpu_time_known
from services.media import Media
from services.models import Render
from services.ports import Clock

log = logging.getLogger(__name__)


class Previews:
    """Requests a frame from the host whenever a preview is due, and offers the preview to the publisher."""

    def __init__(self, render: Render, job: Job, *, publisher: PreviewPublisher, clock: Clock) -> None:
        self._render = render
        self._job = job
        self._publisher = publisher
        self._clock = clock
        self._schedule = PreviewSchedule(now_s=clock.monotonic(), cpu_s=self._cpu_s)
        self._is_requested = False
        self._task: asyncio.Task[None] | None = None

    def request(self, media: Media) -> None:
        """Request a frame of the output if a preview is due, and the last one is made."""
        if (media.width or 0) * (media.height or 0) > MAX_PIXELS:
            return
        now_s = self._clock.monotonic()
        if not self._is_requested and self._schedule.is_due(now_s=now_s, cpu_s=self._cpu_s):
            self._is_requested = True
            self._job.send("frame")

    def receive(self, message: FrameMessage) -> None:
        """Make the preview of a requested frame in a task."""
        self._task = asyncio.create_task(self._make(message), name=f"preview {self._render.id}")

    async def end(self) -> None:
        """End the task, if there is one."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    @property
    def _cpu_s(self) -> float:
        """The CPU time of the job. If it is unknown, the time itself: that of one core."""
        return self._job.cpu_s if is_cpu_time_known() else self._clock.monotonic()

    async def _make(self, message: FrameMessage) -> None:
        try:
            jpeg, cost_s = await asyncio.to_thread(_measured_preview, message.path)
        except FileNotFoundError:  # the job has just ended
            return
        except (OSError, ValueError) as error:
            log.warning("render %s has no further previews: %s", self._render.id, error)
            return
        self._schedule.add(cost_s, now_s=self._clock.monotonic(), cpu_s=self._cpu_s)
        self._is_requested = False
        self._publisher.offer(self._render, jpeg, frame=message.number)


def _measured_preview(path: Path) -> tuple[bytes, float]:
    """Return the preview of a frame, and the CPU time that it took in seconds."""
    from services.backends.previews.images import preview_of_file  # noqa: PLC0415  # 33 MB of memory, in workers only

    before_s = time.thread_time()
    jpeg = preview_of_file(path)
    return jpeg, time.thread_time() - before_s
