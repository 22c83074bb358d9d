"""Bundles: an existing folder, and those of a project that is bundled again whenever it changes."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from services.backends.remotion_node.bundle_store import BundleStore
from services.backends.remotion_node.bundles import Bundle, SiteFolder, bundle_version
from services.backends.remotion_node.bundling import BundlingError, bundle_project, first_error
from services.backends.remotion_node.project import find_project
from services.backends.remotion_node.project_bundles import POLL_INTERVAL_S, ProjectBundles, open_project_bundles
from services.backends.remotion_node.sources import read_sources
from services.errors import BackendUnavailable, StartupError
from tests.remotion_helper.projects import NODE
from tests.services.backends.remotion_node.projects import make_bundler, make_empty_project
from tests.support.fake_clock import FakeClock
from tests.support.node_renderer import make_project, needs_node, shared_project


def make_bundle(folder: Path, *, code: str = "code", index: str = "index") -> Path:
    (folder / "public").mkdir(parents=True)
    for name, content in (("bundle.js", code), ("index.html", index), ("bundle.js.map", index), ("public/a.txt", "a")):
        (folder / name).write_text(content)
    return folder


def test_the_version_is_that_of_the_content_and_not_of_the_projects_path(tmp_path: Path) -> None:
    versions = [
        bundle_version(make_bundle(tmp_path / name, code=code, index=name))
        for name, code in (("one", "code"), ("other", "code"), ("changed", "more"))
    ]
    assert versions[0] == versions[1] != versions[2]
    (tmp_path / "one" / "public" / "a.txt").rename(tmp_path / "one" / "public" / "b.txt")
    assert bundle_version(tmp_path / "one") != versions[0]


async def test_a_bundled_folder_has_a_new_version_when_it_is_bundled_again(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path / "build")
    site = SiteFolder(folder)
    first = await site.acquire()
    assert first == await site.current() == Bundle(folder, bundle_version(folder))
    site.release(first)
    (folder / "bundle.js").write_text("new")
    os.utime(folder / "index.html", ns=(1, 1))
    assert (await site.current()).version != first.version
    shutil.rmtree(folder)
    with pytest.raises(BackendUnavailable):
        await site.current()


def test_a_folder_that_is_not_a_bundle_is_named(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match=r"REMOTION_SITE is .*, which has no index\.html"):
        SiteFolder(tmp_path)


@pytest.mark.parametrize(
    ("output", "error"),
    [
        (
            "Module build failed (from ./x.js):\nError: Transform failed with 2 errors:\n/a.ts:2:0: ERROR: Expected\nX",
            "/a.ts:2:0: ERROR: Expected",
        ),
        (
            "Module not found: Error: Can't resolve './b' in '/a'\nresolve './b' in '/a'\n  using description file",
            "Module not found: Error: Can't resolve './b' in '/a'",
        ),
        (
            "Module build failed: Error: ENOENT: no such file or directory, open '/a'\nundefined",
            "Module build failed: Error: ENOENT: no such file or directory, open '/a'",
        ),
        ("You passed /a.ts.", "You passed /a.ts"),
        ("one\n\ntwo\nthree\nfour", "one two three"),
        ("", ""),
    ],
)
def test_the_first_error_of_a_compiler_is_one_line(output: str, error: str) -> None:
    assert first_error(output) == error


def test_sources_are_compared_without_packages_outputs_data_and_hidden_folders(tmp_path: Path) -> None:
    folder, data = make_empty_project(tmp_path), tmp_path / "my" / "data"
    before = read_sources(folder, ignored=data)
    for ignored in ("node_modules", "out", "build", ".git", "src/.cache", "my/data", "my/data/bundles"):
        (folder / ignored).mkdir(parents=True, exist_ok=True)
        (folder / ignored / "x").touch()
    assert read_sources(folder, ignored=data) == before
    for path in ("src/index.ts", "public/a.png"):
        (folder / path).parent.mkdir(exist_ok=True)
        with (folder / path).open("a") as file:
            file.write("x")
        changed = read_sources(folder, ignored=data)
        assert changed != before
        before = changed


def new_bundle(store: BundleStore, code: str) -> Bundle:
    with store.new_folder() as folder:
        make_bundle(folder, code=code)
        return store.add(folder)


def test_bundles_that_another_process_uses_are_not_removed(tmp_path: Path) -> None:
    one, other = BundleStore(tmp_path), BundleStore(tmp_path)
    first, second = new_bundle(one, "1"), new_bundle(one, "2")
    assert new_bundle(other, "1") == first
    one.remove_unused(kept={second.version})
    assert first.folder.is_dir()
    other.close()
    one.remove_unused(kept={second.version})
    assert sorted(path.name for path in tmp_path.iterdir()) == [second.version, f"{second.version}.lock"]
    one.close()


def test_what_interrupted_processes_have_left_is_removed(tmp_path: Path) -> None:
    for name, age_s in (("new-old", 10_000), ("new-recent", 0)):
        make_bundle(tmp_path / name)
        changed_s = (tmp_path / name).stat().st_mtime - age_s
        os.utime(tmp_path / name, (changed_s, changed_s))
    BundleStore(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["new-recent"]


def test_an_unusable_folder_prevents_the_start(tmp_path: Path) -> None:
    (tmp_path / "bundles").touch()
    with pytest.raises(StartupError, match="can't be used for bundles"):
        BundleStore(tmp_path / "bundles")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_empty_project(tmp_path / "project")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def open_bundles(folder: Path, clock: FakeClock) -> AbstractAsyncContextManager[ProjectBundles]:
    node = make_bundler(folder.parent / "node")
    return open_project_bundles(find_project(folder), folder.parent, node=node, clock=clock, watches=True)


@pytest.fixture
async def bundles(folder: Path, clock: FakeClock) -> AsyncIterator[ProjectBundles]:
    async with open_bundles(folder, clock) as opened:
        yield opened


def change(folder: Path, code: str) -> None:
    (folder / "src" / "index.ts").write_text(f"registerRoot({code})")


async def until_changed(bundles: ProjectBundles, clock: FakeClock) -> Bundle:
    """Let time pass until there is another bundle."""
    before = await bundles.current()
    async with asyncio.timeout(30):
        while (current := await bundles.current()) == before:
            await clock.advance(POLL_INTERVAL_S)
            await asyncio.sleep(0.01)
    return current


async def test_a_changed_project_is_bundled_again(bundles: ProjectBundles, folder: Path, clock: FakeClock) -> None:
    first = await bundles.current()
    assert not bundles.changed.is_set()
    change(folder, "Second")
    second = await until_changed(bundles, clock)
    assert "Second" in (second.folder / "bundle.js").read_text()
    assert first.folder.is_dir()  # the compositions may be being read from it
    change(folder, "Third")
    third = await until_changed(bundles, clock)
    await settled(bundles, clock)
    assert bundles.changed.is_set()
    assert [each.folder.is_dir() for each in (first, second, third)] == [False, True, True]


async def settled(bundles: ProjectBundles, clock: FakeClock) -> None:
    """Wait until the bundler waits for the next change."""
    async with asyncio.timeout(30):
        while bundles.is_bundling:  # noqa: ASYNC110  # as long as a process takes
            await asyncio.sleep(0.01)
    await clock.advance(POLL_INTERVAL_S)


async def test_an_acquired_bundle_stays_until_it_is_released(
    bundles: ProjectBundles, folder: Path, clock: FakeClock
) -> None:
    acquired = await bundles.acquire()
    for code in ("Second", "Third", "Fourth"):
        change(folder, code)
        await until_changed(bundles, clock)
        await settled(bundles, clock)
    assert acquired.folder.is_dir()
    bundles.release(acquired)
    change(folder, "Fifth")
    await until_changed(bundles, clock)
    await settled(bundles, clock)
    assert not acquired.folder.exists()


async def test_the_last_good_bundle_stays_in_use(
    bundles: ProjectBundles, folder: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    good = await bundles.current()
    change(folder, "broken")
    async with asyncio.timeout(30):
        while not caplog.messages:
            await clock.advance(POLL_INTERVAL_S)
            await asyncio.sleep(0.01)
    assert await bundles.current() == good
    (message,) = caplog.messages
    entry = folder / "src" / "index.ts"
    expected = f"the project can't be bundled; the last good bundle stays in use: {entry}:1:0: ERROR: broken"
    assert message == expected
    change(folder, "Fixed")
    assert "Fixed" in ((await until_changed(bundles, clock)).folder / "bundle.js").read_text()


async def test_a_data_folder_in_the_project_is_no_source(folder: Path, clock: FakeClock) -> None:
    node, data = make_bundler(folder.parent / "node"), folder / "data"
    async with open_project_bundles(find_project(folder), data, node=node, clock=clock, watches=True) as bundles:
        (data / "written").touch()
        change(folder, "Second")
        await until_changed(bundles, clock)
        await settled(bundles, clock)
        (data / "written").write_text("again")
        for _ in range(3):
            await clock.advance(POLL_INTERVAL_S)
            await asyncio.sleep(0.05)  # for the thread that reads the sources; too short a time can't fail the test
            assert not bundles.is_bundling


async def test_a_project_that_does_not_compile_prevents_the_start(folder: Path, clock: FakeClock) -> None:
    change(folder, "broken")
    with pytest.raises(StartupError, match=r"can't be bundled: .*index\.ts:1:0: ERROR: broken\.$"):
        await open_bundles(folder, clock).__aenter__()
    assert list((folder.parent / "bundles").iterdir()) == []


@needs_node
@pytest.mark.slow
async def test_a_real_project_is_bundled(tmp_path: Path) -> None:
    with shared_project() as folder:
        project = find_project(folder)
        await bundle_project(project, tmp_path / "bundle", node=Path(NODE))
        assert (tmp_path / "bundle" / "index.html").is_file()
        assert (tmp_path / "bundle" / "public" / "red.png").is_file()


@needs_node
@pytest.mark.slow
async def test_an_error_in_a_real_project_is_one_line(tmp_path: Path) -> None:
    project = find_project(make_project(tmp_path, studio=False))  # else webpack changes 9 MB of code before it fails
    assert project.entry is not None
    project.entry.write_text('import { registerRoot } from "remotion";\nregisterRoot(() => null')
    with pytest.raises(BundlingError, match=r'src/index\.ts:2:23: ERROR: Expected "\)" but found end of file$'):
        await bundle_project(project, tmp_path / "broken", node=Path(NODE))
