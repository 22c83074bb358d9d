"""A render host: a Node process with one browser that runs jobs (see `render-host.mjs`).

When it ends, all its processes are killed and its temporary files are removed, however it ended, and each of its jobs
raises `HostLost`. It ends with its parent: it watches its standard input.
"""

import asyncio
import contextlib
import json
import logging
from asyncio.subprocess import Process
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from services.backends.remotion_node import processes
from services.backends.remotion_node.cpu_time import CpuTime
from services.backends.remotion_node.deployment import NodeDeployment
from services.backends.remotion_node.host_log import HostLog
from services.backends.remotion_node.host_messages import (
    AliveMessage,
    ReadyMessage,
    UnavailableMessage,
    UnusableMessage,
    parse_message,
)
from services.backends.remotion_node.jobs import HostEnd, Job
from services.backends.remotion_node.programs import environment_of_projects
from services.backends.remotion_node.temporary import remove_with_users
from services.clock import RunningTime, Stopwatch

SCRIPT = Path(__file__).with_name("render-host.mjs")
START_TIMEOUT_S = 45.0
EXIT_TIMEOUT_S = 5.0
LAST_MESSAGES_S = 0.2  # in which those that a process has sent before its end are read
MAX_JOBS = 200  # limits what a leak in the browser or in Remotion could keep
MAX_SILENCE_S = 30.0  # of running time; a host that works sends a message each second
MAX_LINE_BYTES = 64 * 1024 * 1024

log = logging.getLogger(__name__)


class HostUnavailable(Exception):  # noqa: N818  # not a bug
    """A host can't be started. The message says why."""


class BrowserUnavailable(HostUnavailable):
    """The browser of a host can't be started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostLimits:
    """When a host is replaced. Above `memory_bytes`, it gets no further jobs; above twice that, it is killed."""

    memory_bytes: int
    max_jobs: int = MAX_JOBS
    max_silence_s: float = MAX_SILENCE_S


class Host:
    """A started host. Create it with `start_host`."""

    def __init__(self, process: Process, folder: Path, *, limits: HostLimits, running_time: RunningTime) -> None:
        self.process = process
        self.is_ready = False
        self.folder = folder
        self._limits = limits
        self._silence = Stopwatch(running_time)
        self._cpu_time = CpuTime(process.pid)
        self._log = HostLog(process.pid, running_time)
        self._jobs: dict[str, Job] = {}
        self._started_jobs = 0
        self._is_retired = False
        self._exceeds_memory = False
        self._reason = "the renderer process ended"
        self._reader: asyncio.Task[None] | None = None
        self._logging: asyncio.Task[None] | None = None

    @property
    def is_removed(self) -> bool:
        """Whether the process has ended, and nothing of it is left."""
        return self._reader is not None and self._reader.done()

    @property
    def accepts_jobs(self) -> bool:
        """Whether it may get further jobs."""
        return self.is_ready and not self._is_retired and self._started_jobs < self._limits.max_jobs

    def start_logging(self) -> None:
        """Log what it writes to its standard error, in a task that `run` ends."""
        if self.process.stderr is not None:
            self._logging = asyncio.create_task(self._log.read(self.process.stderr), name="log a render host")

    def run(self) -> None:
        """Read the messages in a task until the process has ended, and clean up."""
        self._reader = asyncio.create_task(self._run(), name=f"read render host {self.process.pid}")

    def new_job(self, name: str) -> Job:
        """Return a new job. The caller must close it."""
        self.divide_cpu_time()
        self._started_jobs += 1
        job = self._jobs[name] = Job(self, name)
        return job

    def link(self, name: str, folder: Path) -> None:
        """Link the folder of a job's unfinished outputs, so that it is removed with the host's. Raises `OSError`."""
        with contextlib.suppress(FileNotFoundError):  # the host has ended
            (self.folder / f"unfinished-{name}").symlink_to(folder)

    def close_job(self, name: str) -> None:
        """Forget a job and stop it; a host that gets no further jobs ends after its last one."""
        self.divide_cpu_time()
        if self._jobs.pop(name, None) is not None:
            self.send({"type": "cancel", "job": name})
        self._end_if_unused()

    def divide_cpu_time(self) -> None:
        """Add the CPU time since the last call to the jobs, in equal shares."""
        self._cpu_time.divide(self._jobs.values())

    def retire(self) -> None:
        """Give it no further jobs, and end it after its last one."""
        self._is_retired = True

    def send(self, message: Mapping[str, object]) -> None:
        """Send a request, unless the process has ended."""
        if self.process.stdin is not None and not self.process.stdin.is_closing():
            self.process.stdin.write(json.dumps(message).encode() + b"\n")

    def kill_if_hung(self) -> None:
        """Kill it if it has sent no message for too long, as under SIGSTOP."""
        if self._silence.elapsed_s > self._limits.max_silence_s:
            self._reason = f"the renderer process sent no message for {self._limits.max_silence_s:g} s"
            self._kill()

    async def close(self) -> None:
        """Kill it, and wait until nothing of it is left."""
        self._reason = "the renderer process was stopped"
        self._kill()
        if self._reader is not None:
            await asyncio.wait([self._reader])

    async def wait_until_ready(self) -> None:
        """Return when the browser is open. Raises `BrowserUnavailable` and `HostUnavailable`."""
        reason = f"it did not open a browser within {START_TIMEOUT_S:g} s"
        with contextlib.suppress(TimeoutError, ValueError):
            async with asyncio.timeout(START_TIMEOUT_S):
                message = await self._next()
                if isinstance(message, ReadyMessage):
                    self.is_ready = True
                    return
                if isinstance(message, UnavailableMessage):
                    raise BrowserUnavailable(message.message)
                reason = "it ended"
        raise HostUnavailable(reason)

    async def _run(self) -> None:
        try:
            await self._read_until_end()
        except Exception:
            log.exception("the renderer process %d can't be cleaned up", self.process.pid)
        finally:
            self._report_end()

    async def _read_until_end(self) -> None:
        """Read until the process ends: the browser may hold its standard output open for longer. Then clean up."""
        reading, ending = asyncio.create_task(self._read()), asyncio.create_task(self.process.wait())
        await asyncio.wait({reading, ending}, return_when=asyncio.FIRST_COMPLETED)
        tasks = {reading, ending} | ({self._logging} if self._logging else set())
        self._is_retired = True
        self._kill()
        await asyncio.wait(tasks, timeout=LAST_MESSAGES_S)
        if self.process.stdin is not None:
            self.process.stdin.close()
        await asyncio.to_thread(remove_with_users, self.folder)
        await asyncio.wait(tasks, timeout=EXIT_TIMEOUT_S)
        for task in tasks:
            task.cancel()

    async def _read(self) -> None:
        try:
            while message := await self._next():
                self._handle(message)
        except (OSError, ValueError) as error:  # a line that is too long, or not a message
            log.warning("the messages of the renderer process can't be read: %s", error)
        except Exception:
            log.exception("the messages of the renderer process %d can't be handled", self.process.pid)

    async def _next(self) -> object:
        """Return the next message; None at the end."""
        if self.process.stdout is None:
            raise OSError("the renderer process has no pipe")
        line = await self.process.stdout.readline()
        self._silence.restart()
        return parse_message(line) if line else None

    def _handle(self, message: object) -> None:
        match message:
            case AliveMessage():
                self.divide_cpu_time()
                self._check_memory()
            case UnusableMessage(reason=reason):
                log.info("the renderer process %d is replaced: %s", self.process.pid, reason)
                self.retire()
                self._end_if_unused()
            case ReadyMessage() | UnavailableMessage():
                pass
            case _:
                name = getattr(message, "job", "")
                if job := self._jobs.get(name):
                    job.messages.put_nowait(message)  # type: ignore[arg-type]  # only these are left

    def _check_memory(self) -> None:
        used = processes.memory_bytes(self.process.pid)
        if used is None or used <= self._limits.memory_bytes:
            return
        log.info("the renderer process %d is replaced: it uses %d MB", self.process.pid, used >> 20)
        self.retire()
        if used > 2 * self._limits.memory_bytes:
            self._exceeds_memory = True
            self._reason = f"the renderer process used {used >> 20} MB of memory"
            self._kill()
        self._end_if_unused()

    def _end_if_unused(self) -> None:
        if not self._jobs and not self.accepts_jobs:
            self._kill()

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()

    def _report_end(self) -> None:
        """Report the end to the jobs."""
        jobs = list(self._jobs.values())
        self._jobs.clear()
        reason = f"{self._reason} (status {self.process.returncode})"
        for job in jobs:
            end = HostEnd(was_alone=len(jobs) == 1, memory=self._exceeds_memory, reason=reason)
            job.messages.put_nowait(end)


async def start_host(
    deployment: NodeDeployment, folder: Path, *, limits: HostLimits, frame_timeout_s: float, running_time: RunningTime
) -> Host:
    """Start a host that uses `folder`, which is created, for temporary files. Raises `HostUnavailable`."""
    config = {
        "project": str(deployment.project),
        "browser": str(deployment.browser.path),
        "chromeMode": deployment.browser.mode,
        "frameTimeoutMs": round(frame_timeout_s * 1000),
        "folder": str(folder),
    }
    try:
        await asyncio.to_thread(folder.mkdir)
    except OSError as error:
        raise HostUnavailable(str(error)) from error
    try:
        process = await asyncio.create_subprocess_exec(
            deployment.node,
            SCRIPT,
            json.dumps(config),
            cwd=deployment.project,
            env=_environment(folder),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=MAX_LINE_BYTES,
            start_new_session=True,  # only the parent receives a terminal's Ctrl-C; it then ends its children
        )
    except OSError as error:  # uvloop's has no file name
        node, project = deployment.node, deployment.project
        raise HostUnavailable(f"{node} can't be run in {project}: {error.strerror or error}") from error
    host = Host(process, folder, limits=limits, running_time=running_time)
    host.start_logging()
    try:
        await host.wait_until_ready()
    finally:
        host.run()
        if not host.is_ready:
            await host.close()
    return host


def _environment(folder: Path) -> Mapping[str, str]:
    """Return the environment, in which all temporary files of Node, Remotion and the browser are in the folder."""
    return {**environment_of_projects(), "TMPDIR": str(folder)}
