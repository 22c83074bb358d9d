"""Bundles a project at the start and, for developers, whenever its files change."""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

from services.backends.remotion_node.bundle_store import BundleStore
from services.backends.remotion_node.bundles import Bundle
from services.backends.remotion_node.bundling import BundlingError, bundle_project
from services.backends.remotion_node.project import Project
from services.backends.remotion_node.sources import Sources, read_sources
from services.background.supervision import supervise
from services.errors import BackendUnavailable, StartupError
from services.ports import Clock

POLL_INTERVAL_S = 1.0

log = logging.getLogger(__name__)


class ProjectBundles:
    """The bundles of one project. Open them with `open_project_bundles`.

    `is_bundling` says whether a change is being bundled. `changed` is set when there is another bundle.
    """

    def __init__(self, project: Project, store: BundleStore, *, data_dir: Path, node: Path, clock: Clock) -> None:
        self._project = project
        self._store = store
        self._ignored = data_dir.resolve()  # may be in the project, whose folder is a resolved path too
        self._node = node
        self._clock = clock
        self._sources: Sources = {}
        self._current: Bundle | None = None
        self._uses: Counter[str] = Counter()
        self.is_bundling = False
        self.changed = asyncio.Event()

    async def current(self) -> Bundle:
        """Return the last good bundle. Raises `BackendUnavailable` if there has never been one."""
        if self._current is None:
            raise BackendUnavailable("the Remotion project has not been bundled")
        return self._current

    async def acquire(self) -> Bundle:
        """Return the current bundle, which is not removed until it is released. Raises `BackendUnavailable`."""
        bundle = await self.current()
        self._uses[bundle.version] += 1
        return bundle

    def release(self, bundle: Bundle) -> None:
        """Release an acquired bundle."""
        self._uses[bundle.version] -= 1

    async def bundle(self) -> None:
        """Bundle the project, and remove the bundles that are no longer used. Raises `BundlingError`."""
        self._sources = await asyncio.to_thread(read_sources, self._project.folder, ignored=self._ignored)
        with self._store.new_folder() as new:
            await bundle_project(self._project, new, node=self._node)
            try:
                current = await asyncio.to_thread(self._store.add, new)
            except OSError as error:
                raise BundlingError(f"the bundle can't be stored: {error}") from error
        former, self._current = self._current, current
        # The former one stays until the next: the compositions may be being read from it.
        kept = {each.version for each in (former, current) if each is not None} | set(+self._uses)
        await asyncio.to_thread(self._store.remove_unused, kept=kept)

    async def watch(self) -> None:
        """Bundle again whenever the files of the project have changed and are at rest. Runs until cancelled."""
        seen = self._sources
        while True:
            await self._clock.sleep(POLL_INTERVAL_S)
            before, seen = seen, await asyncio.to_thread(read_sources, self._project.folder, ignored=self._ignored)
            if seen == before and seen != self._sources:
                await self._bundle_again()

    async def _bundle_again(self) -> None:
        former, started_s = self._current, self._clock.monotonic()
        self.is_bundling = True
        try:
            await self.bundle()
        except BundlingError as error:
            log.error("the project can't be bundled; the last good bundle stays in use: %s", error)  # noqa: TRY400
            return
        finally:
            self.is_bundling = False
        if self._current != former:
            self.changed.set()
            log.info("the project has changed: bundled again in %.1f s", self._clock.monotonic() - started_s)


@contextlib.asynccontextmanager
async def open_project_bundles(
    project: Project, data_dir: Path, *, node: Path, clock: Clock, watches: bool
) -> AsyncIterator[ProjectBundles]:
    """Bundle a project into the data folder and, if `watches`, again whenever its files change.

    Raises `StartupError` if the project can't be bundled.
    """
    store = BundleStore(data_dir / "bundles")
    bundles = ProjectBundles(project, store, data_dir=data_dir, node=node, clock=clock)
    started_s = clock.monotonic()
    try:
        log.info("bundling %s", project.folder)
        try:
            await bundles.bundle()
        except BundlingError as error:
            raise StartupError(f"The project {project.folder} can't be bundled: {error}.") from error
        log.info("bundled in %.1f s", clock.monotonic() - started_s)
        watching = asyncio.create_task(supervise("bundler", bundles.watch)) if watches else None
        try:
            yield bundles
        finally:
            if watching is not None:
                watching.cancel()
                await asyncio.wait([watching])
    finally:
        store.close()
