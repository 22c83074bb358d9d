"""Bundles a Remotion project once, in a Node process."""

import json
import re
from pathlib import Path

from services.backends.remotion_node.bundles import INDEX
from services.backends.remotion_node.programs import MAX_OUTPUT_CHARACTERS, ProgramError, run_program
from services.backends.remotion_node.project import NO_ENTRY_POINT, Project

SCRIPT = Path(__file__).with_name("bundle.mjs")
TIMEOUT_S = 300.0  # the bundle of a project with 14 MB of code takes 30 s on a busy core
CLI_FOUND_NONE = "No entry point found"
MAX_ERROR_LINES = 3
HEADING = re.compile(r"(?:Error: )?(?:Module build failed|Transform failed with).*:$")
DETAILS = re.compile(r"\s|undefined$|resolve '")  # a stack, or how webpack looked for a module


class BundlingError(Exception):
    """The project can't be bundled. The message is the compiler's first error, on one line."""


async def bundle_project(project: Project, output: Path, *, node: Path) -> None:
    """Write a bundle of the project to a folder. Raises `BundlingError`."""
    try:
        await run_program([node, SCRIPT, _job(project, output)], timeout_s=TIMEOUT_S, cwd=project.folder)
    except ProgramError as error:
        if CLI_FOUND_NONE in error.output:
            raise BundlingError(f"it has {NO_ENTRY_POINT}") from error
        raise BundlingError(first_error(error.output) or str(error)) from error
    if not (output / INDEX).is_file():
        raise BundlingError(f"the bundle has no {INDEX}")


def first_error(output: str) -> str:
    """Return the compiler's first error on one line, without headings and stacks; empty if there is none."""
    found: list[str] = []
    for line in output.splitlines():
        if not line or HEADING.match(line):
            continue
        if DETAILS.match(line):
            break
        found.append(line)
        if len(found) == MAX_ERROR_LINES or " ERROR: " in line:  # esbuild writes all its errors, one on each line
            break
    return " ".join(found)[:MAX_OUTPUT_CHARACTERS].rstrip(".")


def _job(project: Project, output: Path) -> str:
    """Return the argument of the script."""
    return json.dumps(
        {
            "packages": str(project.packages.folder),
            "cli": None if project.cli is None else str(project.cli),
            "project": str(project.folder),
            "entry": None if project.entry is None else str(project.entry),
            "output": str(output),
        }
    )
