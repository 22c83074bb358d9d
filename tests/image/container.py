"""A container of an image, without Docker: its commands as processes that may write where the image says only."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.image.build import Image

PATIENCE_S = 30.0
ANYBODY_READS = 0o555
SETPRIV = shutil.which("setpriv") or "setpriv"


class Container:
    """One command of an image, with settings and no other environment than the image's. Its log is `log`."""

    def __init__(self, image: Image, log: Path, settings: Mapping[str, object], command: list[str]) -> None:
        self._image = image
        self._environment = image.environment | {name: str(value) for name, value in settings.items()}
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
        """Where it serves, if it does."""
        return f"http://127.0.0.1:{self._environment['RENDERCAST_PORT']}"

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run another command in it, as `docker exec` does."""
        return subprocess.run(
            [*self._bounds(), *command],
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
            cwd=self._image.workdir,
            env=self._environment,
        )

    def is_healthy(self) -> bool:
        """Return what the image's health check says."""
        return self.run(*self._image.health).returncode == 0

    def stop(self) -> int:
        """Ask it to end as Docker does, and return its exit code."""
        self.process.send_signal(signal.Signals[self._image.stopsignal])
        return self.process.wait(PATIENCE_S)

    def close(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE_S)

    def _bounds(self) -> list[str]:
        """Return what goes before a command so that it has the image's user, if that is ours to give."""
        if os.geteuid() != 0:
            return []
        user, group = self._image.user.split(":")
        may = "-all,+dac_read_search"  # this interpreter may lie in a folder of root's
        sets = [f"--{kind}={may}" for kind in ("inh-caps", "ambient-caps", "bounding-set")]
        return [SETPRIV, "--reuid", user, "--regid", group, "--clear-groups", "--no-new-privs", *sets]


@contextmanager
def sealed(image: Image) -> Iterator[None]:
    """Let nobody write into the image but to its volumes and /tmp, as with `read_only: true`; nobody may have after."""
    modes = {path: path.stat().st_mode for path in _fixed(image) if not path.is_symlink()}
    before = set(_fixed(image))
    for path, mode in modes.items():
        path.chmod(mode & ANYBODY_READS)
    try:
        yield
    finally:
        for path, mode in modes.items():
            path.chmod(mode)
    assert set(_fixed(image)) == before


def _fixed(image: Image) -> Iterator[Path]:
    """Yield all of the image that a container must not change."""
    writable = {*image.volumes, image.root / "tmp"}
    yield image.root
    yield from (path for path in image.root.rglob("*") if writable.isdisjoint((path, *path.parents)))
