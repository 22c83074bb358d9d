"""The renderer `node` in processes that run no renders: they serve the outputs of others, and need no project."""

from datetime import timedelta

from services.backends.remotion_node.formats import NODE_FORMATS
from services.backends.storing import StoringBackend
from services.errors import BackendUnavailable, StartRejected
from services.models import Composition, Render
from services.ports import AttemptFinished, AttemptMissing, Observation
from services.storage.ports import OutputStorage

NO_WORKER = "this process runs no renders; workers do"


class ServingBackend(StoringBackend):
    """A `RenderBackend` that stores and signs, and can neither render nor discover compositions."""

    formats = NODE_FORMATS
    capacity = 1
    poll_interval = timedelta(seconds=1)

    def __init__(self, storage: OutputStorage, *, site: str, composition: str) -> None:
        super().__init__(storage)
        self.site = site
        self.animation_composition_id = composition

    async def site_version(self) -> str:
        """Raise `BackendUnavailable`."""
        raise BackendUnavailable(NO_WORKER)

    async def compositions(self) -> tuple[Composition, ...]:
        """Raise `BackendUnavailable`."""
        raise BackendUnavailable(NO_WORKER)

    def time_limit(self, render: Render) -> timedelta:  # noqa: ARG002
        """Return no time."""
        return timedelta()

    async def start(self, render: Render) -> str:  # noqa: ARG002
        """Raise `StartRejected`."""
        raise StartRejected(NO_WORKER)

    async def observe(self, render: Render, *, check_output: bool = False) -> Observation:  # noqa: ARG002
        """Return the stored output, if there is one."""
        return await self._stored(render) or AttemptMissing()

    async def stop(self, render: Render) -> AttemptFinished | None:
        """Return the stored output, if there is one."""
        return await self._stored(render)

    async def abandon(self, render: Render) -> None:
        """Do nothing: this process has no attempt."""

    async def _stored(self, render: Render) -> AttemptFinished | None:
        output = await self.storage.stored(render)
        return None if output is None else AttemptFinished(output=output, warnings=render.warnings, media=render.media)
