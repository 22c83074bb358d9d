"""A container of an image without Docker: processes that may write only where the image allows it."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.image.build import Image
from tests.support import leftovers

TIMEOUT_S = 120.0  # each command starts Python, with files that are not cached yet
READ_ONLY_MODE = 0o555
SETPRIV = shutil.which("setpriv") or "setpriv"


class Container:
    """A command of an image as a process, with the environment of the image and settings. It logs to `log`."""

    def __init__(self, image: Image, log: Path, settings: Mapping[str, object], command: list[str]) -> None:
        self._image = image
        self._environment = (
            image.environment | leftovers.marker() | {name: str(value) for name, value in settings.items()}
        )
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                [*self._bounds(), *image.entrypoint, *(command or image.cmd)],
                stdout=file,
                stderr=file,
                cwd=image.workdir,
                env=self._environment,
            )
        self._log = log

    @property
    def log(self) -> str:
        return self._log.read_text()

    @property
    def url(self) -> str:
        """The URL of the server."""
        return f"http://127.0.0.1:{self._environment['RENDERCAST_PORT']}"

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run another command in the container, as `docker exec` does."""
        return subprocess.run(
            [*self._bounds(), *command],
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_S,
            cwd=self._image.workdir,
            env=self._environment,
        )

    def is_healthy(self) -> bool:
        """Return the result of the image's health check."""
        return self.run(*self._image.health).returncode == 0

    def stop(self) -> int:
        """Stop it with the image's signal, as `docker stop` does, and return the exit code."""
        self.process.send_signal(signal.Signals[self._image.stopsignal])
        return self.process.wait(TIMEOUT_S)

    def close(self) -> None:
        self.process.kill()
        self.process.wait(TIMEOUT_S)

    def _bounds(self) -> list[str]:
        """Return the command prefix that changes to the image's user; empty unless this process is root."""
        if os.geteuid() != 0:
            return []
        user, group = self._image.user.split(":")
        may = "-all,+dac_read_search"  # the interpreter may be in a folder of root
        sets = [f"--{kind}={may}" for kind in ("inh-caps", "ambient-caps", "bounding-set")]
        return [SETPRIV, "--reuid", user, "--regid", group, "--clear-groups", "--no-new-privs", *sets]


@contextmanager
def sealed(image: Image) -> Iterator[None]:
    """Make the image read-only except for its volumes and /tmp, as `read_only: true` does; check it afterwards."""
    modes = {path: path.stat().st_mode for path in _fixed(image) if not path.is_symlink()}
    before = set(_fixed(image))
    for path, mode in modes.items():
        path.chmod(mode & READ_ONLY_MODE)
    try:
        yield
    finally:
        for path, mode in modes.items():
            path.chmod(mode)
    assert set(_fixed(image)) == before


def _fixed(image: Image) -> Iterator[Path]:
    """Yield the paths of the image that a container must not change."""
    writable = {*image.volumes, image.root / "tmp"}
    yield image.root
    yield from (path for path in image.root.rglob("*") if writable.isdisjoint((path, *path.parents)))
