"""The processes of render hosts, found by the folder for temporary files, which each of them knows."""

import os
from pathlib import Path

BROWSER = b"--remote-debugging-port"
CHILD = b"--type="
HOST = b"render-host.mjs"


def users_of(folder: Path) -> dict[int, bytes]:
    """Return the processes that have the folder in their arguments or environment, with their arguments."""
    found = {}
    for process in Path("/proc").iterdir():
        try:
            if not process.name.isdigit() or int(process.name) == os.getpid():
                continue
            arguments = (process / "cmdline").read_bytes()
            if os.fsencode(folder) in arguments + (process / "environ").read_bytes():
                found[int(process.name)] = arguments
        except OSError:
            continue
    return found


def browsers_of(folder: Path) -> list[int]:
    """Return the browsers that use the folder, without their child processes."""
    return [pid for pid, arguments in users_of(folder).items() if BROWSER in arguments and CHILD not in arguments]


def hosts_of(folder: Path) -> list[int]:
    """Return the Node processes that use the folder."""
    return [pid for pid, arguments in users_of(folder).items() if HOST in arguments]
