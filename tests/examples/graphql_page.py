"""examples/apollo-and-urql: its commands, and a user of its page."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Locator, Route, WebSocket, expect

from services.settings import CHECKOUT
from tests.browser.visitors import TIMEOUT_MS, Visitor
from tests.examples.example_server import NODE
from tests.support.api_client import TEST_TIMEOUT_S
from tests.support.server_process import free_port

EXAMPLE = CHECKOUT / "examples" / "apollo-and-urql"
COMMANDS: dict[str, str] = json.loads((EXAMPLE / "package.json").read_text(encoding="utf-8"))["scripts"]
MIN_NODE = 20
ADDRESS = "127.0.0.1:5173"
DEFAULT_API = "http://127.0.0.1:8000/graphql"
LONG_S = 60
MAX_TEXT_LENGTH = 500
NO_TOKENS: Iterator[str] = iter(())


def node_version() -> int:
    """Return Node's major version, 0 without Node."""
    if not NODE:
        return 0
    result = subprocess.run([NODE, "--version"], capture_output=True, text=True, check=True)
    return int(result.stdout.strip("v\n").partition(".")[0])


def tool(command: str) -> list[str]:
    """Return the arguments of a command of package.json, with the path that `npm run` would find."""
    name, *arguments = command.split()
    return [str(EXAMPLE / "node_modules" / ".bin" / name), *arguments]


def environment() -> dict[str, str]:
    """Return an environment in which `node` is the one of NODE."""
    return {**os.environ, "PATH": f"{Path(NODE).parent}{os.pathsep}{os.environ['PATH']}"}


@contextmanager
def served(command: str, folder: Path) -> Iterator[str]:
    """Bundle and serve the page with a command of package.json, on a free port."""
    address = f"127.0.0.1:{free_port()}"
    process = subprocess.Popen(
        tool(command.replace(ADDRESS, address)),
        cwd=folder,
        env=environment(),
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stderr is not None
    try:
        while (line := process.stderr.readline()) and address.encode() not in line:
            pass
        assert line, "esbuild has ended"
        yield f"http://{address}"
    finally:
        process.stdin.close()
        process.stderr.close()
        process.wait(TEST_TIMEOUT_S)


@dataclass(kw_only=True)
class PageUser(Visitor):
    """A user of the page."""

    api: str
    tokens: Iterator[str]

    @property
    def connection(self) -> Locator:
        return self.page.get_by_role("status").first

    @property
    def shown(self) -> Locator:
        """The selected render."""
        return self.page.locator("section[aria-labelledby=render-heading]")

    @property
    def status(self) -> Locator:
        return self.shown.get_by_role("status")

    def listed(self, text: str) -> Locator:
        return self.page.get_by_role("list", name="My renders").get_by_role("listitem").filter(has_text=text)

    async def open_page(self) -> None:
        self.allow(self.api)
        await self.page.route(f"{self.site}/session", self._send_token)
        await self.open("/")
        await expect(self.connection).to_have_text("Live", timeout=TIMEOUT_MS)

    async def fill(self, text: str, *, frames: int = 15) -> None:
        await self.page.get_by_label("Text").fill(text)
        await self.page.get_by_label("Frames").fill(str(frames))

    async def start(self, text: str, *, frames: int = 15) -> None:
        """Fill in the form, double-click the button, and wait until the render is shown."""
        await self.fill(text, frames=frames)
        await self.button("Render").dblclick()
        await expect(self.shown.get_by_role("heading", name=text)).to_be_visible(timeout=TIMEOUT_MS)

    async def start_long(self, text: str) -> None:
        """Start a render that slow renderers draw for half a minute: its text is typed for 40 seconds.

        The server must admit `LONG_S`.
        """
        await self.page.get_by_label("Style").select_option("TYPEWRITER")
        await self.start(" ".join([text] * (MAX_TEXT_LENGTH // (len(text) + 1))), frames=30 * LONG_S)

    async def expect_quota(self, text: str) -> None:
        await expect(self.page.get_by_text(re.compile(rf"^{text} renders left until"))).to_be_visible(
            timeout=TIMEOUT_MS
        )

    def _check_websocket(self, websocket: WebSocket) -> None:
        if websocket.url != self.api.replace("http:", "ws:") + "/graphql":
            self.page_errors.append(f"connected to {websocket.url}")

    async def _send_token(self, route: Route) -> None:
        await route.fulfill(json={"token": next(self.tokens, None)})
