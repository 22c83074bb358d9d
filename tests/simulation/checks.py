"""What is true in every history, checked at each change."""

import asyncio
from collections import Counter
from datetime import timedelta

from services.models import Render, RenderStatus
from services.ports import Clock
from tests.simulation.chances import HARMLESS, PAINLESS, Chances
from tests.simulation.cloud import Cloud
from tests.support.lambda_renders import Render as Launch
from tests.support.memory_store import MemoryStore
from tests.support.remotion_farm import BUCKET

LOOK_S = 5.0  # a video that is stored so shortly before a failure may be stored after the last look for it
USERS_CODES = {"COMPOSITION_ERROR"}  # of those that occur in a history


class CheckedStore(MemoryStore):
    """A store that checks each change of a render. `seen` are their newest states."""

    def __init__(self, clock: Clock, chances: Chances) -> None:
        super().__init__(clock)
        self._ended = asyncio.Event()
        self.cloud: Cloud
        self.seen: dict[str, Render] = {}
        self.violations: list[str] = []
        self._chances = chances

    async def record(self, render: Render, *, worker: str | None = None, lease: timedelta | None = None) -> bool:
        """Record the change and check it against the last one."""
        try:
            recorded = await super().record(render, worker=worker, lease=lease)
        finally:
            (stored,) = await self.get_many([render.id])
            before = self.seen.get(render.id)
            if stored != before:
                self._check_change(before, stored)
                self.seen[render.id] = stored
            self._ended.set()
        return recorded

    async def wait_until_all_ended(self) -> None:
        """Return when no render is unfinished."""
        while not all(render.status.is_terminal for render in self.seen.values()):
            self._ended.clear()
            await self._ended.wait()

    def expect(self, condition: bool, problem: str) -> None:  # noqa: FBT001
        """Note a violation unless the condition holds."""
        if not condition:
            self._chances.log(f"VIOLATION: {problem}")
            self.violations.append(problem)

    def check_live(self, launch: Launch) -> None:
        """Check after a step of a launch that no launch of another attempt of its render runs."""
        render_id = _render_id(launch)
        live = [each for each in self.cloud.unfinished if _render_id(each) == render_id and self.cloud.is_live(each)]
        keys = {each.output[1] for each in live}
        self.expect(len(keys) <= 1, f"two attempts are live: {sorted(keys)}")

    def check_end(self) -> None:
        """Check the end of the history, when nothing runs any more."""
        for render in self.seen.values():
            self.expect(render.status.is_terminal, f"{render.id} has not ended")
            is_retried = render.attempt > 1 or render.status is RenderStatus.FAILED
            self.expect(not (is_retried and self._chances.seen <= PAINLESS), f"{render.id} was tried again needlessly")
            if render.status is RenderStatus.FAILED:
                self.expect(not self._chances.seen <= HARMLESS, f"{render.id} FAILED although nothing went wrong")
                videos = self.videos(render.id).keys() - self._doubled_keys()
                self.expect(not videos, f"{videos} were stored after {render.id} FAILED")
        keys = self.cloud.output_keys
        self.expect(len(keys) == len(set(keys)), "two starts have the same output key")
        kept = {render.id for render in self.seen.values() if keeps_unit(render)}
        self.expect(
            set(self._units) == kept, f"units of {set(self._units) - kept} kept, of {kept - set(self._units)} lost"
        )

    def _doubled_keys(self) -> set[str]:
        """Return the output keys of attempts with two launches: one may store a video after the other has failed."""
        launches = Counter(launch.output[1] for launch in self.cloud.function.launches)
        return {key for key, count in launches.items() if count > 1}

    def videos(self, render_id: str) -> dict[str, float]:
        """Return when each stored, non-empty video of a render was stored, by key."""
        keys = self.cloud.s3.keys(BUCKET, f"rendercast/{render_id}-")
        return {key: self.cloud.stored_at[key] for key in keys if self.cloud.s3.get(BUCKET, key)}

    def _check_change(self, before: Render | None, after: Render) -> None:
        known = before or after
        self._chances.log(
            f"revision {after.revision}: {after.status} {after.progress} %, attempt {after.attempt} "
            f"{after.backend_render_id}, {after.failure and after.failure.code}"
        )
        self.expect(before is None or after.revision == before.revision + 1, f"revision {after.revision}")
        self.expect(not known.status.is_terminal or before is None, "a terminal render changed")
        self.expect(after.progress >= known.progress, f"progress fell from {known.progress} to {after.progress}")
        self.expect(after.frames_rendered >= known.frames_rendered, "the number of frames fell")
        self.expect((after.progress == 100) == (after.status is RenderStatus.COMPLETE), "100 % without an end")
        videos = self.videos(after.id)
        if after.status is RenderStatus.COMPLETE:
            assert after.output is not None
            size = len(self.cloud.s3.get(BUCKET, after.output.key) or b"")
            self.expect(size > 0, "COMPLETE without a stored video")
            self.expect(after.output.size_bytes == size, f"a size of {after.output.size_bytes} instead of {size}")
        if after.status is RenderStatus.CANCELLED:
            live = [each.id for each in self.cloud.unfinished if self.cloud.is_live(each)]
            self.expect(known.backend_render_id not in live, "CANCELLED while the attempt runs")
        if after.status is RenderStatus.FAILED:
            now_s = asyncio.get_running_loop().time()
            known_videos = [key for key, stored_s in videos.items() if stored_s < now_s - LOOK_S]
            self.expect(not known_videos, f"FAILED although {known_videos} is stored")


def keeps_unit(render: Render) -> bool:
    """Return whether a render uses a unit of quota: an attempt was started, and the service did not let it fail."""
    failed_by_service = render.failure is not None and render.failure.code not in USERS_CODES
    return not render.status.is_terminal or (render.started_at is not None and not failed_by_service)


def _render_id(launch: Launch) -> str:
    return str(launch.payload["webhook"]["customData"]["render"])
