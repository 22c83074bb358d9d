"""Copies of the checkout, with the files that a commit of it would contain."""

import shutil
import subprocess
from pathlib import Path

from services.settings import CHECKOUT


def files() -> list[str]:
    """Return the names of the files that are tracked, or would be after `git add`."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],  # noqa: S607
        cwd=CHECKOUT,
        capture_output=True,
        check=True,
    )
    return [name for name in listed.stdout.decode().split("\0") if name and (CHECKOUT / name).is_file()]


def clone(folder: Path) -> Path:
    """Copy these files into an empty folder and return it."""
    for name in files():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(CHECKOUT / name, folder / name)
    return folder
