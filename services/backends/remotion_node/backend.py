"""The node backend: renders the compositions of the operator's Remotion project on this machine.

A Node process with a warm browser (see `host.py`) draws them with the project's own `@remotion/renderer`. It ends with
this process. An attempt that this process doesn't know has therefore left a finished output, or it is `AttemptMissing`
and rendered again. The same applies if a host ends, which alone fails no render.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from datetime import timedelta

from services.backends.remotion_node.attempt import Attempt, RenderSettings
from services.backends.remotion_node.browsers import REMEDY, one_line
from services.backends.remotion_node.deployment import NodeDeployment
from services.backends.remotion_node.failures import classify
from services.backends.remotion_node.formats import NODE_FORMATS
from services.backends.remotion_node.host import BrowserUnavailable, HostLimits, HostUnavailable
from services.backends.remotion_node.host_messages import CompositionsMessage, FailedMessage
from services.backends.remotion_node.hosts import Hosts, open_hosts
from services.backends.remotion_node.jobs import HostLost, Job
from services.backends.remotion_node.previews import Previews
from services.backends.remotion_node.time_limits import max_rendering_time
from services.backends.remotion_options import Capture
from services.backends.storing import StoringBackend
from services.clock import RunningTime
from services.compositions.remotion import read_compositions
from services.errors import BackendUnavailable, StartRejected, StartupError
from services.models import Composition, Render
from services.ports import AttemptFinished, AttemptMissing, Clock, Observation
from services.storage.ports import OutputStorage
from services.storage.unfinished_files import unfinished

POLL_INTERVAL = timedelta(milliseconds=100)
FRAME_TIMEOUT_S = 30.0  # Remotion's default
DISCOVERY_TIMEOUT_S = 120.0


class NodeBackend(StoringBackend):
    """A `RenderBackend` on this machine. Open it with `open_node_backend`."""

    poll_interval = POLL_INTERVAL
    formats = NODE_FORMATS

    def __init__(self, deployment: NodeDeployment, *, storage: OutputStorage, hosts: Hosts, clock: Clock) -> None:
        self.site = deployment.site
        self.capacity = deployment.capacity
        self.animation_composition_id = deployment.composition
        self.site_changed = deployment.bundles.changed
        super().__init__(storage)
        self._deployment = deployment
        self._hosts = hosts
        self._clock = clock
        self._attempts: dict[str, Attempt] = {}
        self._settings = RenderSettings(
            capture=Capture(image_format=deployment.image_format, color_space=deployment.color_space),
            license_key=deployment.license_key,
            cpu_second_usd=deployment.cpu_second_usd,
        )

    async def warm_up(self) -> None:
        """Start Node and the browser. Raises `StartupError` if that fails."""
        try:
            job = await self._hosts.new_job()
        except BrowserUnavailable as error:
            path = self._deployment.browser.path
            raise StartupError(f"The browser {path} does not start: {one_line(str(error))}. {REMEDY}") from error
        except HostUnavailable as error:
            raise StartupError(f"The renderer process does not start: {one_line(str(error))}.") from error
        job.close()

    async def site_version(self) -> str:
        """Return the version of the bundle. Raises `BackendUnavailable` if there is none."""
        return (await self._deployment.bundles.current()).version

    async def compositions(self) -> tuple[Composition, ...]:
        """Return all compositions with their default props. Raises `BackendUnavailable`."""
        bundle = await self._deployment.bundles.current()
        try:
            job = await self._hosts.new_job()
            with contextlib.closing(job):
                job.send("compositions", serveUrl=str(bundle.folder))
                async with asyncio.timeout(DISCOVERY_TIMEOUT_S):
                    entries = await _compositions(job)
            return read_compositions(entries, formats=self.formats)
        except (HostUnavailable, HostLost, TimeoutError, ValueError) as error:
            raise BackendUnavailable(f"the compositions can't be read: {error!r}") from error

    def time_limit(self, render: Render) -> timedelta:
        """Return the time that a very slow machine needs for the output."""
        return max_rendering_time(render.media)

    async def start(self, render: Render) -> str:
        """Start a job of the host. Raises `StartRejected` if the project isn't bundled or no host can be started.

        A render that was interrupted gets a host of its own: if that one ends too, this render is the cause.
        """
        await self._end(render)
        bundles = self._deployment.bundles
        async with contextlib.AsyncExitStack() as stack:
            try:
                bundle = await bundles.acquire()
                stack.callback(bundles.release, bundle)
                job = await self._hosts.new_job(isolated=render.interruptions > 0)
            except (BackendUnavailable, HostUnavailable) as error:
                raise StartRejected(f"the renderer can't be started: {error}") from error
            stack.callback(job.close)
            attempt = self._attempts[render.id] = self._attempt(render, job)
            attempt.start(serve_url=str(bundle.folder), resources=stack.pop_all())
        return f"{render.id}-{render.attempt}"

    async def observe(self, render: Render, *, check_output: bool = False) -> Observation:  # noqa: ARG002
        """Return the state that the host last reported, or the finished output of an earlier process."""
        if attempt := self._attempts.get(render.id):
            return self._previews.observed(render, attempt.observe())
        return await self._stored(render) or AttemptMissing()

    async def stop(self, render: Render) -> AttemptFinished | None:
        """Stop the job, remove its unfinished files, and look for the output."""
        await self._end(render)
        return await self._stored(render)

    async def abandon(self, render: Render) -> None:
        """Stop the job if it still runs, and remove its unfinished files and the preview."""
        await self._end(render)
        self._previews.end(render)

    async def close(self) -> None:
        """Stop all jobs."""
        while self._attempts:
            _, attempt = self._attempts.popitem()
            await attempt.end()
        await self._previews.close()

    async def _end(self, render: Render) -> None:
        if attempt := self._attempts.pop(render.id, None):
            await attempt.end()

    def _attempt(self, render: Render, job: Job) -> Attempt:
        return Attempt(
            render,
            job,
            storage=self.storage,
            unfinished=unfinished(self.storage.work_folder, f"{render.id}.{secrets.token_hex(4)}"),
            clock=self._clock,
            settings=self._settings,
            previews=Previews(render, job, publisher=self._previews, clock=self._clock),
            on_change=lambda: self.on_change(render.id),
        )

    async def _stored(self, render: Render) -> AttemptFinished | None:
        output = await self.storage.stored(render)
        return None if output is None else AttemptFinished(output=output, cost_usd=0.0)


async def _compositions(job: Job) -> object:
    """Return the result of `getCompositions`. Raises `BackendUnavailable` or `HostLost`."""
    message = await job.receive()
    if isinstance(message, CompositionsMessage):
        return message.compositions
    if isinstance(message, FailedMessage):
        failure = classify(message)
        raise BackendUnavailable(f"the compositions can't be read: {failure.detail}", failure=failure)
    raise BackendUnavailable(f"the compositions can't be read: unexpected message {message.type}")


@contextlib.asynccontextmanager
async def open_node_backend(
    deployment: NodeDeployment,
    storage: OutputStorage,
    *,
    clock: Clock,
    frame_timeout_s: float = FRAME_TIMEOUT_S,
    limits: HostLimits | None = None,
) -> AsyncIterator[NodeBackend]:
    """Open the backend on a storage. Starts no process."""
    running_time = RunningTime(clock)
    async with open_hosts(
        deployment, running_time=running_time, frame_timeout_s=frame_timeout_s, limits=limits
    ) as hosts:
        backend = NodeBackend(deployment, storage=storage, hosts=hosts, clock=clock)
        try:
            yield backend
        finally:
            await backend.close()
