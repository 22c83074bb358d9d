"""The command `rendercast` in a process that is forked after the imports, which take most of the time of a start.

Each process that runs tests has a fork server (`multiprocessing.forkserver`) with all modules of the commands. A forked
process runs the same function as the command, with its own arguments, settings, working directory and streams.
"""

import multiprocessing.connection
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from io import BufferedReader
from pathlib import Path
from subprocess import CompletedProcess, TimeoutExpired
from tempfile import TemporaryFile
from typing import IO, cast

from tests.support.forked_command import Descriptor, run

COMMAND = str(Path(sys.executable).parent / "rendercast")
# They act when Python starts or when a module is imported: of OpenTelemetry's, those that the API reads.
ACT_ON_IMPORT = ("LD_", "OTEL_PROPAGATORS", "OTEL_PYTHON_", "PYTHON")
COMMAND_TIMEOUT_S = 120.0  # for a command that renders, on a busy machine
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
        stdin: IO[bytes] | None = None,
        stdout: IO[bytes] | None = None,
        stderr: IO[bytes] | None = None,
    ) -> None:
        """Start the command. If they are not given, `stdin` is empty, and `stdout` and `stderr` are pipes."""
        sys.audit("subprocess.Popen", COMMAND, [COMMAND, *arguments], cwd, env)  # as Popen does
        self.args = [COMMAND, *arguments]
        self.stdout: BufferedReader | None = None
        self.stderr: BufferedReader | None = None
        with ExitStack() as closing:
            if stdin is None:
                stdin = closing.enter_context(Path(os.devnull).open("rb"))
            if stdout is None:
                self.stdout, stdout = _pipe(closing)
            if stderr is None:
                self.stderr, stderr = _pipe(closing)
            streams = [Descriptor(stream) for stream in (stdin, stdout, stderr)]
            self._process = _FORKS.Process(target=run, args=(self.args, str(cwd), dict(env), streams), daemon=True)
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

    def communicate(self, timeout: float) -> tuple[bytes, bytes]:
        """Read the pipes to their ends, and wait for the end of the process. Raises `TimeoutExpired`."""
        until = time.monotonic() + timeout
        output = {self.stdout: b"", self.stderr: b""}
        pipes = [pipe for pipe in output if pipe is not None and not pipe.closed]
        while pipes:
            ready = select.select(pipes, [], [], max(0.0, until - time.monotonic()))[0]
            if not ready:
                raise TimeoutExpired(self.args, timeout)
            for pipe in ready:
                if not (piece := pipe.read1()):  # what `readline` has left, or new
                    pipes.remove(pipe)
                    pipe.close()
                output[pipe] += piece
        self.wait(max(0.0, until - time.monotonic()))
        return output[self.stdout], output[self.stderr]

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
            code = process.wait(COMMAND_TIMEOUT_S)
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


def _pipe(closing: ExitStack) -> tuple[BufferedReader, IO[bytes]]:
    """Return the ends of a pipe. The writing end is closed with the context."""
    reading, writing = os.pipe()
    return os.fdopen(reading, "rb"), closing.enter_context(os.fdopen(writing, "wb"))


def _content(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()
