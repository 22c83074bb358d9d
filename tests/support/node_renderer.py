"""The renderer `node` on a real Remotion project, with the Node and the browser of the tests.

The tests are skipped without Node, Chromium or the npm packages, unless NODE and CHROMIUM are set.
"""

import json
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from services.backends.remotion_node.backend import NodeBackend, open_node_backend
from services.backends.remotion_node.browsers import Browser, Mode
from services.backends.remotion_node.bundles import SiteFolder
from services.backends.remotion_node.deployment import NodeDeployment
from services.backends.remotion_node.host import HostLimits
from services.clock import SystemClock
from services.media import OutputFormat
from services.ports import Clock
from services.settings import CHECKOUT
from services.storage.folder_storage import open_folder_storage
from tests.browser.visitors import CHROMIUM
from tests.remotion_helper.projects import NODE, PROJECT, SOURCE, link_packages, run
from tests.support.file_lock import exclusive
from tests.support.outputs import make_output

SOURCES = CHECKOUT / "tests" / "services" / "backends" / "remotion_node" / "sources"
BUNDLE = "import(process.argv[1]).then(({ bundle }) => bundle(JSON.parse(process.argv[2]))).then(() => process.exit(0))"
BUNDLER = CHECKOUT / "tests" / "remotion_helper" / "bundle.mjs"

needs_node = pytest.mark.skipif(
    not {"NODE", "CHROMIUM"} <= os.environ.keys() and not (NODE and CHROMIUM and (PROJECT / "node_modules").exists()),
    reason="needs Node (NODE= or `node` on the path), Chromium (CHROMIUM= or `chromium-headless-shell` on the path) "
    "and `npm ci --prefix tests/remotion_helper/project`",
)


def make_project(folder: Path, *, studio: bool = True) -> Path:
    """Copy the foreign project, with more compositions, the helper as a file, an image, a video and sound.

    Its bundles are without Remotion's Studio unless `studio`.
    """
    project = folder / "project"
    shutil.copytree(PROJECT / "src", project / "src")
    shutil.copytree(SOURCES, project / "src", dirs_exist_ok=True)
    shutil.copy(SOURCE, project / "src" / "helper.ts")
    shutil.copy(PROJECT / "package.json", project)
    link_packages(project, studio=studio)
    public = project / "public"
    public.mkdir()
    (public / "red.png").write_bytes(make_output(OutputFormat.PNG))
    (public / "blue.webm").write_bytes(make_output(OutputFormat.VP8))
    (public / "tone.wav").write_bytes(make_output(OutputFormat.WAV))
    return project


@contextmanager
def shared_project() -> Iterator[Path]:
    """Make the project in a folder that stays, so that webpack's cache is used. One test uses it at a time.

    Without the cache, which depends on the path of the project, a bundle takes 15 s of CPU time, with it 3.
    """
    folder = CHECKOUT / ".pytest_cache" / "remotion"
    folder.mkdir(parents=True, exist_ok=True)
    with exclusive(folder / "lock"):
        shutil.rmtree(folder / "project", ignore_errors=True)
        yield make_project(folder)


def bundle_project(project: Path, output: Path, *, studio: bool = False) -> Path:
    """Bundle the project and return the folder, by default without Remotion's Studio and webpack's cache."""
    job = {"entryPoint": str(project / "src" / "index.ts"), "rootDir": str(project), "outDir": str(output)}
    run([NODE, "--eval", BUNDLE, BUNDLER, json.dumps(job | {"studio": studio})], cwd=project)
    return output


def make_deployment(
    bundle: Path,
    *,
    capacity: int = 2,
    cpu_second_usd: float = 0.0,
    browser: Browser | None = None,
    node: Path = Path(NODE),
) -> NodeDeployment:
    """Return a deployment of a bundle of the foreign project."""
    assert CHROMIUM is not None
    mode: Mode = "headless-shell" if CHROMIUM.endswith("headless-shell") else "chrome-for-testing"
    return NodeDeployment(
        node=node,
        project=PROJECT,
        browser=browser or Browser(path=Path(CHROMIUM), mode=mode),
        site="project",
        bundles=SiteFolder(bundle),
        capacity=capacity,
        cpu_second_usd=cpu_second_usd,
    )


@asynccontextmanager
async def node_backend(
    bundle: Path,
    data_dir: Path,
    *,
    clock: Clock | None = None,
    frame_timeout_s: float = 30.0,
    limits: HostLimits | None = None,
    cpu_second_usd: float = 0.0,
    browser: Browser | None = None,
    node: Path = Path(NODE),
) -> AsyncIterator[NodeBackend]:
    """Open the backend on a bundle."""
    clock = clock or SystemClock()
    storage = open_folder_storage(data_dir, base_url="http://127.0.0.1:1", clock=clock, shared=False)
    async with open_node_backend(
        make_deployment(bundle, cpu_second_usd=cpu_second_usd, browser=browser, node=node),
        storage,
        clock=clock,
        frame_timeout_s=frame_timeout_s,
        limits=limits,
    ) as backend:
        yield backend
