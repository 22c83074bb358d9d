"""examples/nextjs: built, started, and used by a user who signs in, with a Rendercast that requires tokens."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, expect

from auth.bearer import open_bearer_tokens
from services.runtime.adapters import open_embedded
from services.settings import CHECKOUT, load_settings
from tests.browser.sites import SMALL
from tests.browser.visitors import TIMEOUT_MS, Visitor, assert_accessible, visiting
from tests.examples.example_server import BUILD_TIMEOUT_S, NEEDS_PACKAGES, NODE
from tests.support.api_server import serve
from tests.support.server_process import ServerProcess, free_port
from tests.support.tokens import SECRET

EXAMPLE = CHECKOUT / "examples" / "nextjs"
NEXT = EXAMPLE / "node_modules" / "next" / "dist" / "bin" / "next"
ENVIRONMENT = {"NEXT_TELEMETRY_DISABLED": "1"}

pytestmark = [pytest.mark.asyncio(loop_scope="session"), NEEDS_PACKAGES]


class NextServer(ServerProcess):
    """`next start`, with the address and the secret of Rendercast in its environment."""

    def __init__(self, log: Path, *, rendercast: str) -> None:
        super().__init__(log)
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = {**ENVIRONMENT, "RENDERCAST_URL": rendercast, "RENDERCAST_JWT_SECRET": SECRET}

    def _command(self) -> Sequence[str]:
        variables = [f"{name}={value}" for name, value in self._environment.items()]
        options = ["--hostname", "127.0.0.1", "--port", str(self.port)]
        return ["/usr/bin/env", *variables, NODE, str(NEXT), "start", str(EXAMPLE), *options]

    def _answers(self) -> bool:
        try:
            return httpx.post(f"{self.url}/api/token").status_code == httpx.codes.UNAUTHORIZED
        except httpx.TransportError:
            return False


@pytest.fixture
def built_example() -> None:
    environment = {**os.environ, **ENVIRONMENT}
    subprocess.run([NODE, NEXT, "build", EXAMPLE], env=environment, check=True, timeout=BUILD_TIMEOUT_S)


@pytest.mark.usefixtures("built_example")
async def test_a_signed_in_user_renders_with_tokens_of_the_route(tmp_path: Path, browser: Browser) -> None:
    port = free_port()
    next_server = NextServer(tmp_path / "log", rendercast=f"http://127.0.0.1:{port}")
    settings = load_settings(data_dir=tmp_path, port=port, jwt_secret=SECRET, allowed_origins=next_server.url, **SMALL)
    next_server.start()
    try:
        async with (
            open_embedded(settings) as services,
            open_bearer_tokens(settings.auth) as authenticate,
            serve(services, authenticate=authenticate, port=port) as url,
            visiting(
                browser, lambda page: Visitor(page=page, site=next_server.url, allowed=(url,)), bypass_csp=True
            ) as ann,
        ):
            await ann.open("/")
            await ann.page.get_by_label("Name").fill("Ann")
            await ann.button("Sign in").click()
            await ann.page.get_by_label("Text").fill("Signed in")
            ann.ignore_messages("503 (Service Unavailable)")
            await ann.page.route("**/api/token", lambda route: route.fulfill(status=503), times=1)
            await ann.button("Render").click()
            await expect(ann.page.locator("video")).to_have_js_property("duration", 3, timeout=TIMEOUT_MS)
            await assert_accessible(ann.page)
    finally:
        next_server.stop()
