"""The files of a checkout that Docker gets as the build context."""

import shutil
from pathlib import Path

from docker.utils.build import exclude_paths

from tests.support import checkout

NOT_FOR_THE_IMAGE = (
    ".env",
    ".env.production",
    ".git/config",
    ".rendercast/rendercast.sqlite3",
    ".venv/bin/python",
    "notes.txt",
    "requirements/private.txt",
    "services/.env",
    "services/__pycache__/models.cpython-311.pyc",
    "services/stores/__pycache__/mongo.cpython-311.pyc",
    "web/node_modules/react/index.js",
    "web/secret.pem",
)


def checkout_in_use(folder: Path) -> Path:
    """Copy the checkout into `folder` and add files that a checkout in use contains."""
    checkout.clone(folder)
    for name in NOT_FOR_THE_IMAGE:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("not for others")
    return folder


def context_of(folder: Path) -> set[str]:
    """Return the files of a checkout that its `.dockerignore` lets into an image."""
    lines = (folder / ".dockerignore").read_text(encoding="utf-8").splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    return {name for name in exclude_paths(str(folder), patterns) if (folder / name).is_file()}


def copy_context(source: Path, folder: Path) -> Path:
    """Copy the build context into `folder`, with the file modes of a strict umask (077)."""
    for name in context_of(source):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source / name, folder / name)
        (folder / name).chmod(0o600)
    return folder
