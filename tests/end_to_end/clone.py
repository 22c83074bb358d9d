"""A fresh clone of the checkout, and the server that its `make run` starts."""

import contextlib
import errno
import os
import pty
import re
import shutil
import signal
import subprocess
import sysconfig
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import cache_from_source
from pathlib import Path

from services.settings import variable
from tests.end_to_end.processes import quiet_window_s
from tests.image.build import REACHES_PACKAGES
from tests.support import checkout, leftovers, tokens
from tests.support.server_process import free_port

MAX_COMMAND_S = 120.0
LOCKED = re.compile(r"^([a-z0-9._-]+)(?:\[[a-z,]+\])?==(\S+)", re.MULTILINE)
TERMINAL_CODES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[()].")


class Clone:
    """A fresh clone in which `make run` is run. Its environment has only this machine's access to packages.

    The locked packages are linked from this interpreter's environment if it has the same versions, so pip finds them
    installed; tests/image installs a lock file for real.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = checkout.clone(folder / "rendercast")
        self.home = folder / "home"
        self.home.mkdir()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        known = {name: value for name, value in os.environ.items() if REACHES_PACKAGES.fullmatch(name)}
        self.environment = (
            known | leftovers.marker() | {"PATH": os.environ["PATH"], "RENDERCAST_JWT_SECRET": tokens.SECRET}
        )
        given = {"quota_limit": 1000, "quota_window_s": quiet_window_s(), "REMOTION_WEBHOOK_SECRET": tokens.SECRET}
        self._served = self.environment | {variable(name): str(value) for name, value in given.items()}
        self._process: subprocess.Popen[str] | None = None
        self.steps: list[str] = []  # that `make run` has printed before the server's own line

    def make_run(self) -> None:
        """Run the first command of the README and wait for the line that it documents."""
        self._link_packages()
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
        for line in self._process.stdout:
            if f"Open {self.url}/" in line:
                return
            self.steps.append(line.rstrip("\n"))
        raise AssertionError(self.log)

    @property
    def log(self) -> str:
        return (self.folder.parent / "log").read_text()

    def stop(self) -> None:
        """End make and all its processes, as Ctrl-C does."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGINT)
            self._process.communicate(timeout=MAX_COMMAND_S)
            self._process = None

    def run(self, command: str, **settings: str) -> str:
        """Run a documented command, which must succeed, and return its standard output."""
        ended = self.ended(command, **settings)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def ended(self, command: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run a documented command in the clone, with its virtual environment first on the path."""
        return subprocess.run(
            [
                "/bin/bash",
                "-c",
                f"{self.here(command)}\nexit $?",
            ],  # a child of the shell, which --install-completion detects
            cwd=self.folder,
            env=self._environment(settings),
            capture_output=True,
            text=True,
            check=False,
            timeout=MAX_COMMAND_S,
        )

    def on_a_terminal(self, command: str, **settings: str) -> str:
        """Run a documented command on a terminal and return the output without colours."""
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
        """Return a documented text with the URL of this server."""
        return re.sub(r"http://127\.0\.0\.1:800[01]|https://render\.example\.com", self.url, text)

    def _link_packages(self) -> None:
        """Let the Makefile create the virtual environment, and link those locked packages that are installed here."""
        command = ["make", "--silent", ".venv/bin/python"]
        made = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            check=True,
            timeout=MAX_COMMAND_S,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.steps += made.stdout.splitlines()
        here = Path(sysconfig.get_path("purelib"))
        there = self.folder / ".venv" / here.relative_to(sysconfig.get_path("data"))
        for name, version in LOCKED.findall((self.folder / "requirements" / "run.lock").read_text()):
            with contextlib.suppress(PackageNotFoundError):
                installed = distribution(name)
                if installed.version == version:
                    for path in installed.files or ():
                        if ".." not in path.parts:
                            _link(here / path, there / path)
                            if path.suffix == ".py":
                                _link(_bytecode(here / path), _bytecode(there / path))

    def _environment(self, settings: dict[str, str]) -> dict[str, str]:
        path = f"{self.folder}/.venv/bin:{os.environ['PATH']}"
        ours = {"PATH": path, "HOME": str(self.home), "RENDERCAST_URL": self.url}
        return self.environment | ours | settings


def _bytecode(source: Path) -> Path:
    """Return the path of a module's bytecode, which exists if the module was imported here."""
    return Path(cache_from_source(source))


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError, FileNotFoundError):
        try:
            target.hardlink_to(source)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            shutil.copy2(source, target)


def _read(terminal: int) -> Iterator[bytes]:
    try:
        while some := os.read(terminal, 65_536):
            yield some
    except OSError:  # Linux reports the closed other end as an error
        os.close(terminal)
