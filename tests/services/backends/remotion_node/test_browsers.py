"""Finding a browser, and starting it."""

from pathlib import Path

import pytest

from services.backends.remotion_node import browsers
from services.backends.remotion_node.browsers import Browser, check_browser, find_browser, one_line
from services.errors import StartupError
from tests.browser.visitors import CHROMIUM
from tests.services.backends.remotion_node.projects import make_program
from tests.support.node_renderer import needs_node


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in which programs are found."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(browsers, "MACOS_BROWSERS", (str(tmp_path / "Chrome.app"),))
    return folder


def install(folder: Path, *names: str) -> None:
    for name in names:
        make_program(folder / name, "exit 0")


@pytest.mark.parametrize(
    ("installed", "found", "mode"),
    [
        (["google-chrome", "chromium", "chromium-headless-shell"], "chromium-headless-shell", "headless-shell"),
        (["google-chrome", "chromium"], "chromium", "chrome-for-testing"),
        (["google-chrome-stable"], "google-chrome-stable", "chrome-for-testing"),
    ],
)
def test_the_fastest_installed_browser_is_used(
    programs: Path, tmp_path: Path, installed: list[str], found: str, mode: browsers.Mode
) -> None:
    install(programs, *installed)
    assert find_browser(None, project=tmp_path) == Browser(programs / found, mode)


def test_the_browser_that_remotion_has_downloaded_comes_first(programs: Path, tmp_path: Path) -> None:
    install(programs, "chromium-headless-shell")
    folder = tmp_path / "node_modules/.remotion/chrome-headless-shell/linux64/chrome-headless-shell-linux64"
    folder.mkdir(parents=True)
    install(folder, "chrome-headless-shell")
    assert find_browser(None, project=tmp_path) == Browser(folder / "chrome-headless-shell", "headless-shell")


def test_a_browser_of_macos_is_found(programs: Path, tmp_path: Path) -> None:
    make_program(tmp_path / "Chrome.app", "exit 0")
    assert find_browser(None, project=programs).path == tmp_path / "Chrome.app"


def test_without_a_browser_the_commands_that_install_one_are_given(programs: Path) -> None:
    with pytest.raises(StartupError, match=r"^No browser is installed\. ") as error:
        find_browser(None, project=programs)
    for command in ("apt-get install", "apk add", "brew install", "npx remotion browser ensure"):
        assert command in str(error.value)


def test_the_setting_is_a_path_or_a_name(programs: Path, tmp_path: Path) -> None:
    install(programs, "chromium")
    mine = make_program(tmp_path / "headless_shell", "exit 0")
    assert find_browser("chromium", project=tmp_path).path == programs / "chromium"
    assert find_browser(str(mine), project=tmp_path) == Browser(mine, "headless-shell")


def test_a_setting_that_is_not_a_program_is_named(programs: Path, tmp_path: Path) -> None:
    install(programs, "chromium")
    with pytest.raises(StartupError, match="REMOTION_BROWSER is /nowhere, which is not a program"):
        find_browser("/nowhere", project=tmp_path)


async def test_a_browser_that_does_not_start_is_reported_with_its_reason(tmp_path: Path) -> None:
    path = make_program(tmp_path / "chromium", "echo 'error while loading shared libraries: libnss3.so' >&2; exit 127")
    with pytest.raises(StartupError, match=r"does not start: error while loading shared libraries: libnss3\.so\. "):
        await check_browser(Browser(path, "chrome-for-testing"))


@needs_node
@pytest.mark.slow
def test_the_reason_of_remotion_is_one_line() -> None:
    stack = "    at emit (node:events:524:28)"
    message = f"Failed to launch!\nbrowser: libx.so: not found\n{stack}\n\n\nTroubleshooting: https://x.dev/y\n"
    assert one_line(message) == "Failed to launch! browser: libx.so: not found"


async def test_an_installed_browser_starts() -> None:
    assert CHROMIUM is not None
    await check_browser(Browser(Path(CHROMIUM), "headless-shell"))
