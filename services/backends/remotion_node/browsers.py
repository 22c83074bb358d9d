"""Finds the browser in which Remotion draws frames."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from services.backends.remotion_node.programs import ProgramError, run_program
from services.errors import StartupError

# The headless shell draws twice as many frames per second as Chromium, so it comes first.
HEADLESS_SHELLS = ("chromium-headless-shell", "chrome-headless-shell")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MACOS_BROWSERS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
REMOTIONS_SHELL = "node_modules/.remotion/chrome-headless-shell/*/*/chrome-headless-shell"
START_TIMEOUT_S = 30.0
INSTALL = (
    "Install one: `apt-get install chromium-headless-shell` on Debian, `apk add chromium` on Alpine, `brew install "
    "--cask google-chrome` on macOS, or `npx remotion browser ensure` in the project; or set REMOTION_BROWSER"
)

REMEDY = "Install its missing libraries, or set REMOTION_BROWSER to another browser."

Mode = Literal["headless-shell", "chrome-for-testing"]


@dataclass(frozen=True, slots=True)
class Browser:
    """The program of a browser, and Remotion's option `chromeMode` for it."""

    path: Path
    mode: Mode


def find_browser(setting: str | None, *, project: Path) -> Browser:
    """Return the browser of REMOTION_BROWSER if it is set, else the first one that is installed.

    Raises `StartupError`.
    """
    if setting is None:
        for path in _candidates(project):
            return Browser(path, _mode(path))
        raise StartupError(f"No browser is installed. {INSTALL} to the path of one.")
    found = shutil.which(setting)  # accepts a path too
    if found is None:
        raise StartupError(f"REMOTION_BROWSER is {setting}, which is not a program. {INSTALL} to the path of another.")
    return Browser(Path(found).absolute(), _mode(Path(found)))


async def check_browser(browser: Browser) -> None:
    """Start the browser once, and let it open an empty page. Raises `StartupError`."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        arguments = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}", "--dump-dom"]
        try:
            await run_program([browser.path, *arguments, "about:blank"], timeout_s=START_TIMEOUT_S)
        except ProgramError as error:
            raise StartupError(f"The browser {browser.path} does not start: {error}. {REMEDY}") from error


def one_line(message: str) -> str:
    """Return the reason in Remotion's message about a browser that does not start, without a stack and its guide."""
    lines = (line.strip() for line in message.splitlines())
    return " ".join(line for line in lines if line and not line.startswith(("at ", "Troubleshooting:"))).rstrip(".!")


def _candidates(project: Path) -> Iterator[Path]:
    """Yield the browsers of this machine, the fastest first."""
    yield from (path for path in sorted(project.glob(REMOTIONS_SHELL)) if os.access(path, os.X_OK))
    for name in (*HEADLESS_SHELLS, *BROWSERS, *MACOS_BROWSERS):
        if found := shutil.which(name):
            yield Path(found)


def _mode(path: Path) -> Mode:
    return "headless-shell" if "headless-shell" in path.name or "headless_shell" in path.name else "chrome-for-testing"
