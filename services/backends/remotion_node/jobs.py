"""Jobs of a render host: requests and messages of one render, or of one discovery of compositions."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from services.backends.remotion_node.host_messages import JobMessage


class JobHost(Protocol):
    """What a job needs of its host."""

    def send(self, message: Mapping[str, object]) -> None:
        """Send a request, unless the process has ended."""
        ...

    def link(self, name: str, folder: Path) -> None:
        """Link the folder of a job's unfinished outputs, so that it is removed with the host's. Raises `OSError`."""
        ...

    def close_job(self, name: str) -> None:
        """Forget a job and stop it."""
        ...

    def divide_cpu_time(self) -> None:
        """Add the CPU time since the last call to the jobs."""
        ...

    def kill_if_hung(self) -> None:
        """Kill the process if it has sent no message for too long."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class HostEnd:
    """The end of a host, as a job sees it. `was_alone`: the host ran no other job. `memory`: it used too much."""

    was_alone: bool
    memory: bool
    reason: str


class HostLost(Exception):  # noqa: N818  # not a bug
    """The host of a job has ended."""

    def __init__(self, end: HostEnd) -> None:
        self.end = end
        super().__init__(end.reason)


class Job:
    """A job of a host: sends requests, and receives messages in their order."""

    def __init__(self, host: JobHost, name: str) -> None:
        self.cpu_s = 0.0
        self._host = host
        self._name = name
        self.messages: asyncio.Queue[JobMessage | HostEnd] = asyncio.Queue()

    def link(self, folder: Path) -> None:
        """Have the folder of unfinished outputs removed if this process and the host are killed. Raises `OSError`."""
        self._host.link(self._name, folder)

    def send(self, request: str, **fields: object) -> None:
        """Send a request of this type."""
        self._host.send({"type": request, "job": self._name, **fields})

    async def receive(self) -> JobMessage:
        """Return the next message. Raises `HostLost`."""
        message = await self.messages.get()
        if isinstance(message, HostEnd):
            raise HostLost(message)
        return message

    def measure_cpu_s(self) -> float:
        """Return the seconds of CPU time that the job has used until now: its share of the host's."""
        self._host.divide_cpu_time()
        return self.cpu_s

    def close(self) -> None:
        """Stop the job if it is still running; its remaining messages are dropped."""
        self._host.close_job(self._name)

    def kill_host_if_hung(self) -> None:
        """Kill the host if it has sent no message for too long."""
        self._host.kill_if_hung()
