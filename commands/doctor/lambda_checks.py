"""The checks of `rendercast doctor` for a deployment on Remotion Lambda."""

from contextlib import AsyncExitStack

from commands.doctor.report import CheckGroup, CheckSkipped
from commands.doctor.role import Role
from services.backends.remotion_lambda.checks import Checks, open_checks
from services.backends.remotion_lambda.deployment import read_deployment

ACCESS_CHECK = "AWS access"
DEPENDENT_CHECKS = (
    "Lambda function",
    "S3 bucket",
    "S3 writing",
    "S3 reading",
    "S3 privacy",
    "S3 deleting",
    "Remotion site",
)


async def check_lambda(part: CheckGroup) -> None:
    """Check the credentials and, if they are valid, function, bucket and site."""
    opened: list[Checks] = []
    async with AsyncExitStack() as closing:

        async def open_access() -> str:
            if part.renderer == "text":
                raise CheckSkipped("The text renderer is used. For Lambda, set RENDERCAST_RENDERER=lambda.")
            deployment = read_deployment(part.settings.remotion, public_url=part.settings.server.public_url)
            opened.append(await closing.enter_async_context(open_checks(deployment)))
            return f"Credentials for {deployment.access.region} exist."

        if await part.check(ACCESS_CHECK, open_access, *DEPENDENT_CHECKS):
            await _DeploymentChecks(part, opened[0]).run()


class _DeploymentChecks:
    """Checks function, bucket and site. Workers and API processes need different permissions: only those are used."""

    def __init__(self, part: CheckGroup, checks: Checks) -> None:
        self._part = part
        self._checks = checks
        self._has_probe = False

    async def run(self) -> None:
        check = self._part.check
        function, bucket, writing, reading, privacy, deleting, site = DEPENDENT_CHECKS
        await check(function, self._check_function)
        await check(bucket, self._check_bucket)
        self._has_probe = await check(writing, self._check_writing)
        await check(reading, self._check_reading)
        await check(privacy, self._check_privacy)
        await check(deleting, self._check_deleting)
        await check(site, self._check_site)

    def _require(self, *roles: Role) -> None:
        if not self._part.is_for(*roles):
            raise CheckSkipped(f"`rendercast {self._part.role}` does not need it.")

    def _require_probe(self) -> None:
        if not self._has_probe:
            raise CheckSkipped("There is no test object in the bucket.")

    async def _check_function(self) -> str:
        self._require(Role.DEV, Role.WORKER)
        return f"It exists and has Remotion {await self._checks.require_function()}."

    async def _check_bucket(self) -> str:
        await self._checks.require_bucket()
        return "It exists and may be listed."

    async def _check_writing(self) -> str:
        self._require(Role.DEV, Role.WORKER)
        await self._checks.store_probe()
        return "Renders can be cancelled."

    async def _check_reading(self) -> str:
        await self._checks.request_missing_video()
        if self._has_probe:
            await self._checks.read_probe()
        return "Progress and videos can be read."

    async def _check_privacy(self) -> str:
        self._require_probe()
        return f"Objects in {await self._checks.require_privacy()} can only be read with a signed URL."

    async def _check_deleting(self) -> str:
        self._require(Role.DEV, Role.SERVE)
        self._require_probe()
        await self._checks.remove_probe()
        return "Files of deleted renders can be deleted."

    async def _check_site(self) -> str:
        await self._checks.require_site()
        return "REMOTION_SERVE_URL responds."
