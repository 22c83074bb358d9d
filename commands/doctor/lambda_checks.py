"""What `rendercast doctor` looks at in a deployment on Remotion Lambda."""

from contextlib import AsyncExitStack

from commands.client.options import Role
from commands.doctor.report import Examination, NotNeeded
from services.backends.remotion_lambda.checks import Checks, open_checks
from services.backends.remotion_lambda.deployment import read_deployment

FIRST = "AWS access"
OTHERS = ("Lambda function", "S3 bucket", "S3 writing", "S3 reading", "S3 privacy", "S3 deleting", "Remotion site")


async def examine_lambda(part: Examination) -> None:
    """Look at the credentials, and with them at the rest."""
    opened: list[Checks] = []
    async with AsyncExitStack() as closing:

        async def open_access() -> str:
            if part.renderer == "text":
                raise NotNeeded("Videos are rendered on this machine. For Lambda, set RENDERCAST_RENDERER=lambda.")
            deployment = read_deployment(part.settings)
            opened.append(await closing.enter_async_context(open_checks(deployment)))
            return f"There are credentials for {deployment.access.region}."

        if await part.check(FIRST, open_access, *OTHERS):
            await _Deployment(part, opened[0]).examine()


class _Deployment:
    """Function, bucket and site. Workers and API need other permissions, and the least have no more than they need."""

    def __init__(self, part: Examination, checks: Checks) -> None:
        self._part = part
        self._checks = checks
        self._has_probe = False

    async def examine(self) -> None:
        check = self._part.check
        function, bucket, writing, reading, privacy, deleting, site = OTHERS
        await check(function, self._look_at_function)
        await check(bucket, self._look_at_bucket)
        self._has_probe = await check(writing, self._write)
        await check(reading, self._read)
        await check(privacy, self._look_as_stranger)
        await check(deleting, self._delete)
        await check(site, self._look_at_site)

    def _require(self, *roles: Role) -> None:
        if not self._part.is_for(*roles):
            raise NotNeeded(f"`rendercast {self._part.role}` does not do that.")

    def _require_probe(self) -> None:
        if not self._has_probe:
            raise NotNeeded("There is no probe in the bucket to try it on.")

    async def _look_at_function(self) -> str:
        self._require(Role.DEV, Role.WORKER)
        return f"It is there, of Remotion {await self._checks.require_function()}."

    async def _look_at_bucket(self) -> str:
        await self._checks.require_bucket()
        return "It is there and may be listed."

    async def _write(self) -> str:
        self._require(Role.DEV, Role.WORKER)
        await self._checks.store_probe()
        return "Renders can be cancelled."

    async def _read(self) -> str:
        await self._checks.look_for_video()
        if self._has_probe:
            await self._checks.read_probe()
        return "Progress and videos can be read."

    async def _look_as_stranger(self) -> str:
        self._require_probe()
        return f"Without a signed URL nobody can read {await self._checks.require_privacy()}"

    async def _delete(self) -> str:
        self._require(Role.DEV, Role.SERVE)
        self._require_probe()
        await self._checks.remove_probe()
        return "Files of deleted renders are removed."

    async def _look_at_site(self) -> str:
        await self._checks.require_site()
        return "REMOTION_SERVE_URL answers."
