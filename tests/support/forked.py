"""The command `rendercast` in a process that is forked after the imports, which take most of the time of a start.

Each process that runs tests has a fork server (`multiprocessing.forkserver`) with all modules of the commands. A forked
process runs the same function as the command, with its own arguments, settings, working directory and streams.
"""

import io
import multiprocessing.connection
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from multiprocessing import reduction
from pathlib import Path
from subprocess import CompletedProcess, TimeoutExpired
from tempfile import TemporaryFile
from typing import IO, Any, cast

import cli
from tests.support.api_client import TEST_TIMEOUT_S

COMMAND = str(Path(sys.executable).parent / "rendercast")
# They act when Python starts or when a module is imported.
ACT_ON_IMPORT = ("LD_", "OTEL_", "PYTHON")
_HARMLESS = {"PYTHONPATH"}  # for the processes that the command starts

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.support.preloaded"])

# An exit code can be read once, and `multiprocessing` reads those of all processes whenever it starts one.
_LOCK = threading.Lock()


class ForkedProcess:
    """A started command, with what tests use of `subprocess.Popen`."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        stderr: IO[bytes],
        stdin: IO[bytes] | None = None,
        stdout: IO[bytes] | None = None,
    ) -> None:
        """Start the command; `stdin` is empty and `stdout` a pipe, if not given."""
        sys.audit("subprocess.Popen", COMMAND, [COMMAND, *arguments], cwd, env)  # as Popen does
        self.args = [COMMAND, *arguments]
        self.stdout: IO[bytes] | None = None
        with ExitStack() as closing:
            if stdin is None:
                stdin = closing.enter_context(Path(os.devnull).open("rb"))
            if stdout is None:
                reading, writing = os.pipe()
                self.stdout, stdout = os.fdopen(reading, "rb"), closing.enter_context(os.fdopen(writing, "wb"))
            streams = [_Descriptor(stream) for stream in (stdin, stdout, stderr)]
            self._process = _FORKS.Process(target=_run, args=(self.args, str(cwd), dict(env), streams), daemon=True)
            with _LOCK:
                self._process.start()

    @property
    def pid(self) -> int:
        return cast("int", self._process.pid)

    @property
    def returncode(self) -> int | None:
        """The exit code, or None while the process is running."""
        with _LOCK:
            return self._process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float) -> int:
        """Wait for the end of the process and return its exit code. Raises `TimeoutExpired`."""
        multiprocessing.connection.wait([self._process.sentinel], timeout)
        if (code := self.returncode) is None:
            raise TimeoutExpired(self.args, timeout)
        return code

    def communicate(self, timeout: float) -> tuple[bytes, None]:
        """Read standard output to its end, and wait for the end of the process. Raises `TimeoutExpired`."""
        assert self.stdout is not None
        until, output = time.monotonic() + timeout, b""
        while select.select([self.stdout], [], [], max(0.0, until - time.monotonic()))[0]:
            if not (piece := os.read(self.stdout.fileno(), 65_536)):
                self.stdout.close()
                self.wait(max(0.0, until - time.monotonic()))
                return output, None
            output += piece
        raise TimeoutExpired(self.args, timeout)

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def run_forked(
    arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str], text: str = ""
) -> CompletedProcess[bytes]:
    """Run the command with a text as standard input, as `subprocess.run` does."""
    with TemporaryFile() as stdin, TemporaryFile() as stdout, TemporaryFile() as stderr:
        stdin.write(text.encode())
        for file in (stdin, stdout, stderr):
            file.seek(0)
        process = ForkedProcess(arguments, cwd=cwd, env=env, stdin=stdin, stdout=stdout, stderr=stderr)
        try:
            code = process.wait(TEST_TIMEOUT_S)
        finally:
            process.kill()
        return CompletedProcess(process.args, code, *map(_content, (stdout, stderr)))


def run_forked_text(arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> CompletedProcess[str]:
    """Run the command, and return its output as text."""
    ended = run_forked(arguments, cwd=cwd, env=env)
    return CompletedProcess(ended.args, ended.returncode, ended.stdout.decode(), ended.stderr.decode())


def can_fork(command: Sequence[str], variables: Mapping[str, str]) -> bool:
    """Return whether a command has the same effect in a forked process."""
    acting = {name for name in variables if name.startswith(ACT_ON_IMPORT)} - _HARMLESS
    return command[0] == COMMAND and not acting


def _content(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


class _Descriptor:
    """A file descriptor that is passed to the forked process."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._number = stream.fileno()

    def __reduce__(self) -> tuple[Any, ...]:
        return _received, (reduction.DupFd(self._number),)


def _received(duplicate: Any) -> int:
    return cast("int", duplicate.detach())


def _run(arguments: list[str], cwd: str, env: dict[str, str], streams: list[int]) -> None:
    os.setpgid(0, 0)  # as a shell starts each command
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False))
    sys.argv = arguments
    cli.main()
