"""The processes of render hosts."""

import os
from pathlib import Path

BROWSER = b"--remote-debugging-port"
BROWSER_CHILD = b"--type="
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
    return [pid for pid, arguments in users_of(folder).items() if is_browser(arguments)]


def is_browser(arguments: bytes) -> bool:
    """Return whether a process with these arguments is a browser, and no child process of one."""
    return BROWSER in arguments and BROWSER_CHILD not in arguments


def is_host(arguments: bytes) -> bool:
    """Return whether a process with these arguments is the Node process of a host."""
    return HOST in arguments


def descendants(process_id: int) -> set[int]:
    """Return the ids of all processes that a process has started, and of theirs."""
    found: set[int] = set()
    for path in Path(f"/proc/{process_id}/task").glob("*/children"):
        try:
            children = path.read_text().split()
        except OSError:  # the process has just ended
            continue
        for child in map(int, children):
            found |= {child} | descendants(child)
    return found


def arguments_of(process_id: int) -> bytes:
    """Return the arguments of a process; empty if it has ended."""
    try:
        return Path(f"/proc/{process_id}/cmdline").read_bytes()
    except OSError:
        return b""
