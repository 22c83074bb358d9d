"""Remotion projects with the helper: the project in this folder, installed as its users do, and what is discovered."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from services.settings import CHECKOUT
from tests.browser.visitors import CHROMIUM

FOLDER = Path(__file__).parent
HELPER = CHECKOUT / "clients" / "remotion"
SOURCE = HELPER / "src" / "rendercast.ts"
PROJECT = FOLDER / "project"  # the newest versions that are tested
OLDEST = FOLDER / "oldest"
WITHOUT_STUDIO = FOLDER / "without-studio.cjs"
PACKAGES = tuple(folder / "node_modules" for folder in (HELPER, PROJECT, OLDEST))
NODE = os.environ.get("NODE") or shutil.which("node") or ""
TIMEOUT_S = 300
HIDDEN_ID = "rendercast"

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Discovery:
    """The compositions that Remotion has discovered in one root, or its error, and the warnings on the console."""

    compositions: Sequence[Json] | None
    error: str | None
    warnings: Sequence[str]

    @property
    def ids(self) -> Sequence[str]:
        """The ids of the compositions, without the hidden one."""
        assert self.compositions is not None, self.error
        return [composition["id"] for composition in self.compositions if composition["id"] != HIDDEN_ID]

    @property
    def catalog(self) -> Json:
        """The props of the hidden composition."""
        assert self.compositions is not None, self.error
        [hidden] = [composition for composition in self.compositions if composition["id"] == HIDDEN_ID]
        assert (hidden["width"], hidden["height"], hidden["durationInFrames"]) == (2, 2, 1)
        catalog: Json = hidden["props"]["compositions"]
        return catalog

    @property
    def schemas(self) -> Json:
        """The props schemas by composition id."""
        return {name: entry["schema"] for name, entry in self.catalog.items()}


def run(arguments: Sequence[str | Path], *, cwd: Path) -> str:
    """Run a program with the Node and the browser of the tests, and return its output."""
    environment = {
        **os.environ,
        "CHROMIUM": CHROMIUM or "",
        "PATH": f"{Path(NODE).parent}{os.pathsep}{os.environ['PATH']}",
    }
    result = subprocess.run(
        arguments, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=TIMEOUT_S
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def pack(folder: Path) -> Path:
    """Build the npm package in a copy of its folder, and return the archive that would be published."""
    source = shutil.copytree(HELPER, folder / "helper", ignore=shutil.ignore_patterns("node_modules", "dist"))
    (source / "node_modules").symlink_to(HELPER / "node_modules")
    run(["npm", "pack", "--silent", "--pack-destination", folder], cwd=source)
    [archive] = folder.glob("*.tgz")
    return archive


def project_with_package(folder: Path, *, archive: Path) -> Path:
    """Return the project with the newest versions and the npm package."""
    project = _project(folder, installed=PROJECT)
    run(["tar", "-xzf", archive], cwd=folder)
    (project / "node_modules" / "@rendercast").mkdir()
    (folder / "package").rename(project / "node_modules" / "@rendercast" / "remotion")
    (project / "src" / "index-zod3.ts").unlink()
    return project


def project_with_copy(folder: Path) -> Path:
    """Return the project with the oldest versions, zod 3, and the helper as a copied file."""
    project = _project(folder, installed=OLDEST)
    shutil.copy(SOURCE, project / "src" / "helper.ts")
    for name in ("index.ts", "zod41.tsx"):
        (project / "src" / name).unlink()
    return project


def link_packages(project: Path, *, studio: bool = True) -> None:
    """Link the newest packages that are tested. Bundles are without Remotion's Studio unless `studio`."""
    packages, installed = project / "node_modules", PROJECT / "node_modules"
    if studio:
        packages.symlink_to(installed)
        return
    bundler = packages / "@remotion" / "bundler"
    bundler.mkdir(parents=True)
    (bundler / "package.json").write_text('{"main": "index.js"}', encoding="utf-8")
    required = f"require({json.dumps(str(installed / '@remotion' / 'bundler'))})"
    without_studio = f"require({json.dumps(str(WITHOUT_STUDIO))}).withoutStudio({required})"
    (bundler / "index.js").write_text(f"exports.bundle = {without_studio};", encoding="utf-8")
    for package in (*installed.iterdir(), *(installed / "@remotion").iterdir()):
        link = packages / package.relative_to(installed)
        if not link.exists():
            link.symlink_to(package)


def _project(folder: Path, *, installed: Path) -> Path:
    project = folder / "project"
    shutil.copytree(PROJECT / "src", project / "src")
    shutil.copy(PROJECT / "tsconfig.json", project)
    shutil.copy(installed / "package.json", project)
    (project / "node_modules").mkdir()
    for package in (installed / "node_modules").iterdir():
        (project / "node_modules" / package.name).symlink_to(package)
    replaced = SOURCE.read_text(encoding="utf-8").replace('from "remotion"', 'from "./remotion-without-internals"')
    (project / "src" / "helper-without-internals.ts").write_text(replaced, encoding="utf-8")
    return project


def discover(project: Path, *, entry: str, roots: Sequence[str], stills: Mapping[str, Path]) -> Mapping[str, Discovery]:
    """Bundle a project, and return what Remotion discovers in each root. `stills` are the files for "Card" by root."""
    job = {
        "folder": str(project),
        "entry": entry,
        "bundle": str(project / "build"),
        "roots": roots,
        "stills": {root: str(path) for root, path in stills.items()},
    }
    found = json.loads(run([NODE, FOLDER / "discover.mjs", json.dumps(job)], cwd=project))
    return {root: Discovery(**values) for root, values in found.items()}


def check_types(project: Path) -> None:
    """Check the types of a project, as its users do."""
    run([NODE, HELPER / "node_modules" / "typescript" / "bin" / "tsc", "--project", project], cwd=project)


@contextmanager
def served_bundle(bundle: Path) -> Iterator[str]:
    """Serve a bundle."""
    handler = partial(QuietHandler, directory=str(bundle))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files without a log."""

    def log_message(self, *_: object) -> None:
        """Log nothing."""
