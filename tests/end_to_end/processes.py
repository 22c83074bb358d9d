"""Rendercast as processes, each with its own port; tests share only files with them."""

import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from services.settings import variable
from tests.support import forked
from tests.support.api_client import RETRY_S, TEST_TIMEOUT_S
from tests.support.forked import ForkedProcess, can_fork
from tests.support.node_processes import descendants
from tests.support.server_process import free_port

COMMAND = forked.COMMAND
HOUR_S = 3600
MAX_WINDOW_S = 86_400
START_TIMEOUT_S = 90.0  # without a fork, a start takes some seconds of CPU time
LINES_AROUND = 20  # of a traceback in a log

Process = subprocess.Popen[bytes] | ForkedProcess


def spawn(folder: Path, *arguments: str, **settings: object) -> Process:
    """Start the command `rendercast` in `folder` with exactly these settings."""
    return spawn_program(folder, [COMMAND, *arguments], settings)


def spawn_program(
    folder: Path, command: Sequence[str], settings: Mapping[str, object], *, fork: bool = True
) -> Process:
    """Start a program in `folder` with exactly these settings of Rendercast; if it is `rendercast`, in a fork.

    A test of the start itself does without the fork.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RENDERCAST_")}
    given = {variable(name): str(value) for name, value in settings.items()}
    with (folder / "stderr").open("ab") as stderr:
        if fork and can_fork(command, given):
            return ForkedProcess(command[1:], cwd=folder, env=inherited | given, stderr=stderr)
        return subprocess.Popen(
            command,
            cwd=folder,
            env=inherited | given,
            stdout=subprocess.PIPE,
            stderr=stderr,
            process_group=0,  # as a shell starts each command
        )


class Running:
    """A process that has printed its first line. It runs in `folder`; its log is `folder`/stderr."""

    def __init__(
        self,
        folder: Path,
        command: Sequence[str],
        settings: Mapping[str, object],
        *,
        timeout_s: float = START_TIMEOUT_S,
        fork: bool = True,
    ) -> None:
        self.folder = folder
        self.process = spawn_program(folder, command, settings, fork=fork)
        self.first_line = self._read_line(timeout_s)

    @property
    def url(self) -> str:
        """The URL of the server. Raises `StopIteration` for a worker."""
        page = next(word for word in self.first_line.split() if word.startswith("http"))
        return page.removesuffix("/graphql").rstrip("/")

    @property
    def log(self) -> str:
        return (self.folder / "stderr").read_text()

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send the signal and return the exit code."""
        self.process.send_signal(number)
        return wait(self.process)

    def children(self) -> set[int]:
        """Return the ids of its renderer processes."""
        return {process_id for process_id in descendants(self.process.pid) if is_renderer(process_id)}

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        wait(self.process)

    def _read_line(self, timeout_s: float) -> str:
        stdout = self.process.stdout
        assert stdout is not None
        assert select.select([stdout], [], [], timeout_s)[0], f"it printed nothing: {self.log}"
        line = stdout.readline().decode()
        assert line, f"it ended: {self.log}"
        return line


class Rendercast(Running):
    """`rendercast dev` on a free port. Its data is in `folder`/.rendercast."""

    def __init__(self, folder: Path, **settings: object) -> None:
        super().__init__(folder, [COMMAND, "dev", "--port", "0"], settings)

    @property
    def data(self) -> Path:
        return self.folder / ".rendercast"

    @property
    def outputs(self) -> list[str]:
        """The names of the files in the output folder."""
        return sorted(path.name for path in (self.data / "outputs").iterdir())


Start = Callable[..., Running]


@contextmanager
def dev_servers(folder: Path, **common: object) -> Iterator[Start]:
    """Yield a function that starts `rendercast dev`, on the port of `after` if given; all share their data.

    The kernel assigns that port to nothing else while no server listens on it.
    """
    started: list[Running] = []
    window_s = quiet_window_s()

    def start(after: Running | None = None, **settings: object) -> Running:
        settings = {"quota_window_s": window_s, **common, **settings}
        port = str(free_port()) if after is None else after.url.rpartition(":")[2]
        started.append(Running(folder, [COMMAND, "dev", "--port", port], settings))
        return started[-1]

    yield start
    for each in started:
        each.close()
    for each in started:
        assert_no_traceback(each.log)


def assert_no_traceback(log: str) -> None:
    """Fail with the lines around the first traceback in the log of a process, if there is one."""
    lines = log.splitlines()
    found = next((number for number, line in enumerate(lines) if "Traceback" in line), None)
    if found is not None:
        raise AssertionError("\n".join(lines[max(found - LINES_AROUND, 0) : found + LINES_AROUND]))


def wait(process: Process) -> int:
    """Wait for the end of a process and return its exit code."""
    code = process.wait(TEST_TIMEOUT_S)
    assert process.stdout is not None
    process.stdout.close()
    return code


def is_renderer(process_id: int) -> bool:
    """Return whether this process is a renderer that runs and is no zombie."""
    try:
        state = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
        command = Path(f"/proc/{process_id}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX" and b"services.backends.text.child" in command


def wait_until_gone(process_ids: set[int]) -> None:
    """Wait until none of these renderers runs."""
    for _ in _tries():
        if not any(is_renderer(process_id) for process_id in process_ids):
            return
    raise AssertionError(process_ids)


def quiet_window_s() -> int:
    """Return a quota window, in seconds, that does not end within the next hour."""
    now = time.time()
    return next(length for length in range(MAX_WINDOW_S, 0, -HOUR_S // 2) if length - now % length > HOUR_S)


def _tries() -> Iterator[None]:
    until = time.monotonic() + TEST_TIMEOUT_S
    while time.monotonic() < until:
        yield
        time.sleep(RETRY_S)
