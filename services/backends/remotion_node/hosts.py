"""The render hosts of a worker: one for all jobs, and one more for each job whose host has ended before."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

from services.backends.remotion_node.deployment import NodeDeployment
from services.backends.remotion_node.host import Host, HostLimits, start_host
from services.backends.remotion_node.jobs import Job
from services.backends.remotion_node.processes import total_memory_bytes
from services.backends.remotion_node.temporary import temporary_folder
from services.clock import RunningTime

MEMORY_SHARE = 0.4  # of the machine's memory, that a host may use before it is replaced


class Hosts:
    """Starts hosts when they are needed, and replaces those that get no further jobs."""

    def __init__(
        self,
        deployment: NodeDeployment,
        folder: Path,
        *,
        running_time: RunningTime,
        frame_timeout_s: float,
        limits: HostLimits,
    ) -> None:
        self._deployment = deployment
        self._folder = folder
        self._running_time = running_time
        self._frame_timeout_s = frame_timeout_s
        self._limits = limits
        self._numbers = count()
        self._names = count()
        self._shared: Host | None = None
        self._started: set[Host] = set()
        self._starting = asyncio.Lock()

    async def new_job(self, *, isolated: bool = False) -> Job:
        """Return a new job, which the caller must close; an `isolated` one has a host of its own.

        Raises `HostUnavailable`.
        """
        host = await self._start() if isolated else await self._shared_host()
        job = host.new_job(f"{next(self._names)}")
        if isolated:
            host.retire()
        return job

    async def close(self) -> None:
        """Kill all hosts."""
        for host in list(self._started):
            await host.close()

    async def _shared_host(self) -> Host:
        async with self._starting:
            if self._shared is None or not self._shared.accepts_jobs:
                self._shared = await self._start()
            return self._shared

    async def _start(self) -> Host:
        host = await start_host(
            self._deployment,
            self._folder / str(next(self._numbers)),
            limits=self._limits,
            frame_timeout_s=self._frame_timeout_s,
            running_time=self._running_time,
        )
        self._started = {each for each in self._started if not each.is_removed} | {host}
        return host


@asynccontextmanager
async def open_hosts(
    deployment: NodeDeployment, *, running_time: RunningTime, frame_timeout_s: float, limits: HostLimits | None = None
) -> AsyncIterator[Hosts]:
    """Open the hosts of a worker, none of which is started yet. Raises `OSError`."""
    with temporary_folder() as folder:
        default = HostLimits(memory_bytes=int(MEMORY_SHARE * total_memory_bytes()))
        hosts = Hosts(
            deployment, folder, running_time=running_time, frame_timeout_s=frame_timeout_s, limits=limits or default
        )
        try:
            yield hosts
        finally:
            await hosts.close()
