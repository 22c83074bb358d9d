"""A deployment on Lambda for tests: a function, the site that it renders, and the settings and commands for them."""

import asyncio
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx

from services.settings import variable
from tests.support import tokens
from tests.support.api_client import TEST_TIMEOUT_S, Client, pauses
from tests.support.forked import can_fork, run_forked_text
from tests.support.lambda_compositions import SITE, Site
from tests.support.lambda_server import FUNCTION, LambdaServer
from tests.support.remotion_farm import BUCKET
from tests.support.s3_server import SIGNED, S3Server

KEY = "AKIAexample"
SECRET = "an example of a secret"  # noqa: S105
PUBLIC = {**SIGNED, "x-amz-acl": "public-read"}  # the page is read without a signature
PROGRAM_TIMEOUT_S = 120.0  # for one that is not forked
IDS = "{ compositions { id } }"


class RemotionSite:
    """The site of a function. Each deployment has another page, so another ETag."""

    def __init__(self, function: LambdaServer, s3: S3Server) -> None:
        self.url = f"{s3.url}/{BUCKET}/sites/promo/index.html"
        self._function = function
        self._deployments = 0
        self.deploy(SITE)

    def deploy(self, compositions: Site) -> None:
        """Replace the site by one with these compositions."""
        self._deployments += 1
        self._function.site = compositions
        page = f"<title>Deployment {self._deployments}</title>"
        httpx.put(self.url, content=page, headers=PUBLIC, trust_env=False, timeout=TEST_TIMEOUT_S).raise_for_status()


def lambda_settings(function: LambdaServer, s3: S3Server, site: RemotionSite) -> dict[str, object]:
    """Return the settings with which Rendercast renders on the function."""
    return {
        "renderer": "lambda",
        "poll_interval_s": 0.1,
        "REMOTION_LAMBDA_FUNCTION_NAME": FUNCTION,
        "REMOTION_SERVE_URL": site.url,
        "REMOTION_BUCKET_NAME": BUCKET,
        "REMOTION_AWS_ACCESS_KEY_ID": KEY,
        "REMOTION_AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_ENDPOINT_URL_LAMBDA": function.url,
        "AWS_ENDPOINT_URL_S3": s3.url,
    }


def client_settings(url: str, *, user: str = "ann") -> dict[str, object]:
    """Return the variables with which client commands use the server at `url` as a user."""
    return {"RENDERCAST_URL": url, "RENDERCAST_TOKEN": tokens.token_of(user)}


async def run(
    command: Sequence[str | Path], settings: Mapping[str, object], *, folder: Path
) -> subprocess.CompletedProcess[str]:
    """Run a program in a folder with exactly these settings of Rendercast, and wait for its end."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RENDERCAST_")}
    given = {variable(name): str(value) for name, value in settings.items()}
    if can_fork([str(command[0])], given):
        return await asyncio.to_thread(
            run_forked_text, [str(argument) for argument in command[1:]], cwd=folder, env=inherited | given
        )
    return await asyncio.to_thread(
        subprocess.run,
        command,
        cwd=folder,
        env=inherited | given,
        capture_output=True,
        text=True,
        check=False,
        timeout=PROGRAM_TIMEOUT_S,
    )


async def until_known(client: Client, ids: Sequence[str]) -> None:
    """Wait until the server lists exactly these compositions, in this order."""
    async with asyncio.timeout(TEST_TIMEOUT_S):
        for pause_s in pauses():
            if [each["id"] for each in await client.execute(IDS)] == list(ids):
                return
            await asyncio.sleep(pause_s)
