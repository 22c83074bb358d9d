"""The deployment of the renderer `node` that the settings describe: Node, the project, the browser and the bundles."""

import contextlib
import re
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from services.backends.cores import available_cores
from services.backends.remotion_node.browsers import Browser, find_browser
from services.backends.remotion_node.bundles import Bundles, SiteFolder
from services.backends.remotion_node.programs import ProgramError, run_program
from services.backends.remotion_node.project import Packages, Project, find_packages, find_project
from services.backends.remotion_node.project_bundles import open_project_bundles
from services.errors import StartupError
from services.ports import Clock
from services.settings import Settings

MIN_NODE_VERSION = 18
NODE_TIMEOUT_S = 20.0
NODE_VERSION = re.compile(r"v(\d+)\.")
SHARED_SITE = "node"
CORES_PER_RENDER = 2  # a page, its screenshots and the encoder use about as much


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeDeployment:
    """What renders, and where. Node resolves Remotion's packages from the folder `project`."""

    node: Path
    project: Path
    browser: Browser
    site: str
    bundles: Bundles
    capacity: int
    composition: str = "TextAnimation"
    color_space: str = "bt709"
    image_format: str = "png"
    license_key: str | None = None
    cpu_second_usd: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What is installed on this machine. `project` is None if the site is already bundled."""

    node: Path
    packages: Packages
    project: Project | None
    browser: Browser


@contextlib.asynccontextmanager
async def open_deployment(settings: Settings, clock: Clock, *, watches: bool) -> AsyncIterator[NodeDeployment]:
    """Check what is installed, bundle the project and, if `watches`, again whenever its files change.

    Raises `StartupError` if something is missing or too old, or the project can't be bundled.
    """
    installation = await find_installation(settings)
    async with _open_bundles(settings, installation, clock, watches=watches) as bundles:
        key = settings.remotion.remotion_license_key
        yield NodeDeployment(
            node=installation.node,
            project=installation.packages.folder,
            browser=installation.browser,
            site=site_name(settings),
            bundles=bundles,
            capacity=settings.worker.worker_capacity or max(1, available_cores() // CORES_PER_RENDER),
            composition=settings.remotion.remotion_composition,
            color_space=settings.remotion.remotion_color_space,
            image_format=settings.remotion.remotion_image_format,
            license_key=None if key is None else key.get_secret_value(),
            cpu_second_usd=settings.own_machines.cpu_second_usd,
        )


async def find_installation(settings: Settings) -> Installation:
    """Return what is installed. Raises `StartupError` if something is missing or too old."""
    packages, project = find_remotion(settings)
    node = await find_node()
    browser = find_browser(settings.own_machines.remotion_browser, project=packages.folder)
    return Installation(node=node, packages=packages, project=project, browser=browser)


def find_remotion(settings: Settings) -> tuple[Packages, Project | None]:
    """Return Remotion's packages and the project to bundle, None if it is bundled. Raises `StartupError`."""
    path, site = settings.own_machines.remotion_project, settings.own_machines.remotion_site
    if site is not None:
        SiteFolder(site)  # raises if it is not a bundle
        return find_packages((path or site).resolve()), None
    if path is None:
        raise StartupError("REMOTION_PROJECT is not set: set it to the folder of your Remotion project.")
    project = find_project(path)
    return project.packages, project


async def find_node() -> Path:
    """Return the program of Node. Raises `StartupError` if it is missing or too old."""
    found = shutil.which("node")
    install = f"Install Node {MIN_NODE_VERSION} or newer: https://nodejs.org"
    if found is None:
        raise StartupError(f"Remotion needs Node, but there is no program `node`. {install}.")
    try:
        version = (await run_program([found, "--version"], timeout_s=NODE_TIMEOUT_S)).strip()
    except ProgramError as error:
        raise StartupError(f"Node does not start: {error}. {install}.") from error
    numbers = NODE_VERSION.match(version)
    if numbers is None or int(numbers[1]) < MIN_NODE_VERSION:
        raise StartupError(f"Node {version.removeprefix('v')} is too old. {install}.")
    return Path(found)


def site_name(settings: Settings) -> str:
    """Return the name under which the catalog is stored: the same on all machines that share a MongoDB.

    In `rendercast dev`, each project has a name of its own.
    """
    if settings.storage.mongodb_url is not None:
        return SHARED_SITE
    folder = settings.own_machines.remotion_project or settings.own_machines.remotion_site
    return SHARED_SITE if folder is None else f"{SHARED_SITE} {folder.resolve()}"


@contextlib.asynccontextmanager
async def _open_bundles(
    settings: Settings, installation: Installation, clock: Clock, *, watches: bool
) -> AsyncIterator[Bundles]:
    site = settings.own_machines.remotion_site
    if installation.project is None and site is not None:
        yield SiteFolder(site.resolve())
    elif installation.project is not None:
        data_dir = settings.storage.data_dir.absolute()
        async with open_project_bundles(
            installation.project, data_dir, node=installation.node, clock=clock, watches=watches
        ) as bundles:
            yield bundles
