"""A fresh clone, as somebody has it who has never seen it before."""

import os
import pty
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from services.settings import variable
from tests.end_to_end.processes import quiet_window_s
from tests.image.build import REACHES_PACKAGES
from tests.support import checkout, tokens
from tests.support.server_process import free_port

MAX_COMMAND_S = 120.0
TERMINAL_CODES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[()].")


class Clone:
    """A fresh clone, and `make run` in it. Its user has this machine's way to packages and nothing else."""

    def __init__(self, folder: Path) -> None:
        self.folder = checkout.clone(folder / "rendercast")
        self.home = folder / "home"
        self.home.mkdir()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        known = {name: value for name, value in os.environ.items() if REACHES_PACKAGES.fullmatch(name)}
        self.environment = known | {"PATH": os.environ["PATH"], "RENDERCAST_JWT_SECRET": tokens.SECRET}
        given = {"quota_limit": 1000, "quota_window_s": quiet_window_s(), "REMOTION_WEBHOOK_SECRET": tokens.SECRET}
        self._served = self.environment | {variable(name): str(value) for name, value in given.items()}
        self._process: subprocess.Popen[str] | None = None

    def make_run(self) -> None:
        """Do what the README begins with, and wait for the line that it says."""
        with (self.folder.parent / "log").open("w") as log:
            self._process = subprocess.Popen(
                ["make", "run", f"PORT={self.port}"],  # noqa: S607
                cwd=self.folder,
                env=self._served,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                process_group=0,
            )
        assert self._process.stdout is not None
        assert any(f"Open {self.url}/" in line for line in self._process.stdout), self.log

    @property
    def log(self) -> str:
        return (self.folder.parent / "log").read_text()

    def stop(self) -> None:
        """End make and all it started, as Ctrl-C does."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGINT)
            self._process.communicate(timeout=MAX_COMMAND_S)
            self._process = None

    def run(self, command: str, **settings: str) -> str:
        """Return the standard output of a command of the documents, which must end well."""
        ended = self.ended(command, **settings)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def ended(self, command: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the documents in the clone, with its environment first on the path."""
        return subprocess.run(
            ["/bin/bash", "-c", f"{self.here(command)}\nexit $?"],  # from a shell, whose completion may be wanted
            cwd=self.folder,
            env=self._environment(settings),
            capture_output=True,
            text=True,
            check=False,
            timeout=MAX_COMMAND_S,
        )

    def on_a_terminal(self, command: str, **settings: str) -> str:
        """Return what a person sees, without colours."""
        ours, theirs = pty.openpty()
        size = {"COLUMNS": "120", "LINES": "50", "TERM": "xterm"}
        process = subprocess.Popen(
            ["/bin/bash", "-c", self.here(command)],
            cwd=self.folder,
            env=self._environment(settings) | size,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        seen = b"".join(_read(ours))
        process.wait(MAX_COMMAND_S)
        return TERMINAL_CODES.sub("", seen.decode()).replace("\r", "\n")

    def here(self, text: str) -> str:
        """Return a text of the documents with this server's address."""
        return re.sub(r"http://127\.0\.0\.1:800[01]|https://render\.example\.com", self.url, text)

    def _environment(self, settings: dict[str, str]) -> dict[str, str]:
        path = f"{self.folder}/.venv/bin:{os.environ['PATH']}"
        ours = {"PATH": path, "HOME": str(self.home), "RENDERCAST_URL": self.url}
        return self.environment | ours | settings


def _read(terminal: int) -> Iterator[bytes]:
    try:
        while some := os.read(terminal, 65_536):
            yield some
    except OSError:  # what Linux says when nobody has the other end any more
        os.close(terminal)
