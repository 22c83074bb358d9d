"""Finds a Remotion project with its packages and its entry point, as Remotion's own command line finds them."""

import json
import logging
import re
from dataclasses import dataclass
from pathlib import Path

from services.errors import StartupError

MIN_VERSION = (4, 0, 301)  # the oldest version that the tests render with
VERSION_PATTERN = re.compile(r"(\d+)\.(\d+)\.(\d+)")
MANIFEST = "package.json"
RENDERER, BUNDLER, CLI = "@remotion/renderer", "@remotion/bundler", "@remotion/cli"
CONFIG_FILES = ("remotion.config.ts", "remotion.config.js")
ENTRY_POINTS = (  # the candidates of @remotion/cli 4.0.527, in its order
    "src/index.ts",
    "src/index.tsx",
    "src/index.js",
    "src/index.mjs",
    "remotion/index.tsx",
    "remotion/index.ts",
    "remotion/index.js",
    "remotion/index.mjs",
    "src/remotion/index.tsx",
    "src/remotion/index.ts",
    "src/remotion/index.js",
    "src/remotion/index.mjs",
)
NO_ENTRY_POINT = (
    f"no entry point: none of {', '.join(ENTRY_POINTS[:4])} exists. Set REMOTION_PROJECT to the file that calls "
    "registerRoot()"
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Packages:
    """Remotion's packages. Node resolves them from the `package.json` in `folder`."""

    folder: Path
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A Remotion project that can be bundled.

    If `cli` is set, the project has a configuration file, which only Remotion's command line reads; it then finds the
    entry point too, unless `entry` is set.
    """

    folder: Path
    packages: Packages
    entry: Path | None
    cli: Path | None


def find_project(path: Path) -> Project:
    """Return the project in a folder, or that of an entry point. Raises `StartupError`."""
    folder, entry = _folder_and_entry(path.resolve())
    packages = find_packages(folder)
    cli = _find_cli(folder)
    if cli is None and _package(packages.folder, BUNDLER) is None:
        raise StartupError(f"The project {folder} has no {BUNDLER}: {_install(CLI, packages.version)}.")
    if cli is None:
        entry = entry or find_entry_point(folder)
    return Project(folder=folder, packages=packages, entry=entry, cli=cli)


def find_packages(folder: Path) -> Packages:
    """Return the packages that a project, or a bundle inside of one, uses. Raises `StartupError`."""
    if not any((each / "node_modules").is_dir() for each in (folder, *folder.parents)):
        raise StartupError(f"The project {folder} has no node_modules: run `npm install` there.")
    remotion = _package(folder, "remotion")
    if remotion is None:
        raise StartupError(
            f"The project {folder} has no Remotion: the package remotion is not in its node_modules. Set "
            "REMOTION_PROJECT to a Remotion project, or run `npm install` there."
        )
    version = _version(remotion)
    _check_version(folder, version)
    # Package managers that link packages make those that the project does not name visible to other packages only.
    for user in (folder, _package(folder, CLI), _package(folder, BUNDLER)):
        if user is not None and (_package(user.resolve(), RENDERER)) is not None:
            return Packages(folder=user.resolve(), version=version)
    raise StartupError(f"The project {folder} has no {RENDERER}: {_install(RENDERER, version)}.")


def find_entry_point(folder: Path) -> Path:
    """Return the file that registers the root. Raises `StartupError`."""
    for candidate in ENTRY_POINTS:
        if (path := folder / candidate).is_file():
            return path
    raise StartupError(f"The project {folder} has {NO_ENTRY_POINT}.")


def _folder_and_entry(path: Path) -> tuple[Path, Path | None]:
    """Return the project's folder and the entry point, if the path is one. Raises `StartupError`."""
    if path.is_dir():
        return path, None
    if not path.is_file():
        raise StartupError(f"REMOTION_PROJECT is {path}, which does not exist.")
    for folder in path.parents:
        if (folder / MANIFEST).is_file():
            return folder, path
    raise StartupError(f"REMOTION_PROJECT is {path}, which is in no folder with a {MANIFEST}.")


def _find_cli(folder: Path) -> Path | None:
    """Return the program of Remotion's command line, if the project has a configuration file for it."""
    config = next((name for name in CONFIG_FILES if (folder / name).is_file()), None)
    if config is None:
        return None
    program = None if (package := _package(folder, CLI)) is None else package / "remotion-cli.js"
    if program is None or not program.is_file():
        log.warning("the project's %s is not read: %s is not installed", config, CLI)
        return None
    return program


def _package(folder: Path, name: str) -> Path | None:
    """Return the folder of a package as Node finds it: in the node_modules of the folder or of the next parent."""
    for each in (folder, *folder.parents):
        if ((package := each / "node_modules" / name) / MANIFEST).is_file():
            return package
    return None


def _version(package: Path) -> str:
    """Return the version of a package. Raises `StartupError`."""
    try:
        return str(json.loads((package / MANIFEST).read_text(encoding="utf-8"))["version"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StartupError(f"{package / MANIFEST} can't be read ({error}): run `npm install` again.") from error


def _check_version(folder: Path, version: str) -> None:
    numbers = VERSION_PATTERN.match(version)
    if numbers is None or tuple(map(int, numbers.groups())) < MIN_VERSION:
        raise StartupError(
            f"The project {folder} has Remotion {version}, but {'.'.join(map(str, MIN_VERSION))} or newer is needed: "
            "run `npx remotion upgrade` there."
        )


def _install(package: str, version: str) -> str:
    return f"run `npm install {package}@{version}` there"
