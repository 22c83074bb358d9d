"""The image that the Dockerfile builds: all steps are executed, and its commands run unprivileged.

It is the variant for Remotion projects, which has all steps of the other. Debian's packages are those of this machine.
"""

import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from pages.files import CDN
from tests.end_to_end.processes import assert_no_traceback
from tests.end_to_end.production import rendered
from tests.image.build import Build, Image
from tests.image.container import TIMEOUT_S, Container, sealed
from tests.image.context import checkout_in_use, copy_context
from tests.image.dockerfile import dockerfile_text
from tests.remotion_helper.projects import PROJECT
from tests.support import tokens
from tests.support.api_client import open_client
from tests.support.node_renderer import make_project, needs_node
from tests.support.redis_server import RedisServer
from tests.support.server_process import free_port

pytestmark = pytest.mark.slow

MEGABYTE = 1024 * 1024
MAX_MEGABYTES = 500
BUNDLING_TIMEOUT_S = 240.0  # without a cache, webpack takes 40 s on a busy machine

# Node finds no files in folders of root by `access`, which ignores the capability that the container gets.
MAY_RENDER = shutil.which("chromium-headless-shell") is not None and all(
    folder.stat().st_mode & stat.S_IXOTH for folder in PROJECT.parents
)

Start = Callable[..., Container]


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    """The image in a read-only file system, with a project of a user."""
    if shutil.which("npm") is None and "NODE" not in os.environ:
        pytest.skip("npm is not installed; the image needs it for the packages of the pages")
    folder = Path(tempfile.mkdtemp(prefix="image-"))
    folder.chmod(0o755)  # the image's user needs access
    try:
        for name in ("checkout", "context", "build"):
            (folder / name).mkdir()
        context = copy_context(checkout_in_use(folder / "checkout"), folder / "context")
        built = Build(folder / "build", context).run(dockerfile_text(), VARIANT="node")
        if MAY_RENDER:
            make_project(built.root, studio=False)
        with sealed(built):
            yield built
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def start(image: Image, mongo_url: str, tmp_path: Path) -> Iterator[Start]:
    """Start a command of the image with a MongoDB and a Redis."""
    redis = RedisServer(tmp_path)
    redis.start()
    started: list[Container] = []

    def start(*command: str, **settings: object) -> Container:
        given = {
            "MONGODB_URL": mongo_url,
            "REDIS_URL": redis.url,
            "RENDERCAST_RENDERER": "text",
            "RENDERCAST_HOST": "127.0.0.1",
            "RENDERCAST_PORT": free_port(),
            "RENDERCAST_METRICS_PORT": free_port(),
            "RENDERCAST_JWT_SECRET": tokens.SECRET,
            **settings,
        }
        started.append(Container(image, tmp_path / f"log-{len(started)}", given, list(command)))
        return started[-1]

    try:
        yield start
    finally:
        for container in started:
            container.close()
        redis.stop()
    for container in started:
        assert_no_traceback(container.log)


def wait_until_healthy(container: Container, *, timeout_s: float = TIMEOUT_S) -> None:
    """Wait until the health check of the container passes."""
    until = time.monotonic() + timeout_s
    while not container.is_healthy():
        assert container.process.poll() is None, container.log
        assert time.monotonic() < until, container.log
        time.sleep(0.1)


async def test_serve_and_worker_make_a_video_after_migrate(start: Start) -> None:
    migration = start("migrate")
    assert migration.process.wait(TIMEOUT_S) == 0, migration.log
    api, worker = start(), start("worker")
    wait_until_healthy(api)
    wait_until_healthy(worker)
    made = api.run("rendercast", "token", "ann")
    assert (made.returncode, made.stderr) == (0, "")
    async with open_client(api.url, token=made.stdout.strip()) as client:
        render = await client.until(await client.start_render(durationInFrames=30), status="COMPLETE")
        video = await client.http.get(render["outputUrl"])
    assert (video.status_code, len(video.content)) == (200, render["outputSizeBytes"])
    assert (api.stop(), worker.stop()) == (0, 0)
    assert not api.is_healthy()
    assert not worker.is_healthy()


@needs_node
@pytest.mark.skipif(not MAY_RENDER, reason="needs `chromium-headless-shell`, and node_modules that all users can read")
async def test_a_worker_bundles_and_renders_the_project_in_the_image(start: Start) -> None:
    api, worker = start(RENDERCAST_RENDERER="node"), start("worker", RENDERCAST_RENDERER="node")
    wait_until_healthy(api)
    wait_until_healthy(worker, timeout_s=BUNDLING_TIMEOUT_S)
    token = api.run("rendercast", "token", "ann").stdout.strip()
    async with open_client(api.url, token=token) as client:
        render = await rendered(client, await client.start_render(durationInFrames=3))
        video = await client.http.get(render["outputUrl"])
    assert (video.status_code, len(video.content)) == (200, render["outputSizeBytes"])
    assert worker.stop() == 0


def test_a_container_without_a_required_setting_ends_with_an_error(start: Start) -> None:
    container = start(RENDERCAST_JWT_SECRET="")
    assert container.process.wait(TIMEOUT_S) == 1
    assert container.log.startswith("rendercast: ")


def test_the_pages_load_nothing_from_another_host(start: Start) -> None:
    api = start(RENDERCAST_STUDIO="yes")
    wait_until_healthy(api)
    with httpx.Client(base_url=api.url, headers={"Accept": "text/html"}, trust_env=False, timeout=TIMEOUT_S) as client:
        for page in ("/", "/graphql"):
            response = client.get(page)
            assert response.status_code == 200
            assert CDN not in response.headers["content-security-policy"] + response.text


def test_the_image_has_only_what_is_needed_at_run_time(image: Image) -> None:
    packages = image.root / "venv" / "lib"
    installed = {path.name.split("-")[0].lower() for path in packages.glob("*/site-packages/*.dist-info")}
    assert {"starlette", "av", "motor"} <= installed
    assert installed & {"pip", "setuptools", "wheel", "hatchling", "pytest", "rendercast"} == set()
    assert {path.name for path in image.root.iterdir()} - {"project"} == {"app", "data", "tmp", "usr", "venv"}
    assert {path.name for path in (image.root / "usr" / "local" / "bin").glob("pip*")} == set()
    assert {path.name for path in (image.root / "usr" / "bin").iterdir()} <= {"chromium-headless-shell"}
    sources = {path.name for path in (image.root / "app").iterdir() if path.name != "__pycache__"}
    folders = {"auth", "commands", "pages", "rendercast", "resolvers", "schema", "services", "transport"}
    assert sources == {"LICENSE", "app.py", "cli.py", "web", *folders}


def test_all_dependencies_are_installed(image: Image) -> None:
    python = image.root / "venv" / "bin" / "python"
    checked = subprocess.run(
        [sys.executable, "-m", "pip", "--python", python, "check"], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout


def test_every_source_is_compiled(image: Image) -> None:
    sources = [path for name in ("app", "usr", "venv") for path in (image.root / name).rglob("*.py")]
    assert image.root / "usr" / "local" / "lib" / "uncompiled.py" in sources
    assert [path for path in sources if not list(path.parent.glob(f"__pycache__/{path.stem}.*.pyc"))] == []


def test_all_files_are_world_readable(image: Image) -> None:
    paths = [
        path for name in ("app", "usr", "venv") for path in (image.root / name).rglob("*") if not path.is_symlink()
    ]
    assert [path for path in paths if path.stat().st_mode & 0o004 == 0] == []


def test_it_is_small(image: Image) -> None:
    size = sum(path.lstat().st_size for path in image.root.rglob("*"))
    assert size < MAX_MEGABYTES * MEGABYTE
