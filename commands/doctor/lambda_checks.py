"""The checks of `rendercast doctor` for a deployment on Remotion Lambda."""

from collections.abc import Awaitable
from contextlib import AsyncExitStack

from commands.doctor.report import CheckGroup, CheckSkipped, CheckWarning
from commands.doctor.role import Role
from services.backends.remotion_lambda.checks import Checks, open_checks
from services.backends.remotion_lambda.deployment import read_deployment
from services.backends.remotion_lambda.hints import Hint, SettingNotReadable
from services.errors import StartupError

ACCESS_CHECK = "AWS access"
DEPENDENT_CHECKS = (
    "Lambda function",
    "Lambda queue",
    "S3 bucket",
    "S3 writing",
    "S3 videos",
    "S3 ACL",
    "S3 reading",
    "S3 privacy",
    "S3 deleting",
    "S3 versions",
    "S3 encryption",
    "Remotion site",
    "Remotion compositions",
)


async def check_lambda(part: CheckGroup) -> None:
    """Check the credentials and, if they are valid, function, bucket and site."""
    opened: list[Checks] = []
    async with AsyncExitStack() as closing:

        async def open_access() -> str:
            if part.renderer != "lambda":
                raise CheckSkipped(f"The renderer is `{part.renderer}`. For Lambda, set RENDERCAST_RENDERER=lambda.")
            deployment = read_deployment(
                part.settings.remotion, part.settings.outputs, public_url=part.settings.server.public_url
            )
            opened.append(await closing.enter_async_context(open_checks(deployment)))
            return f"Credentials for {deployment.access.region} exist."

        if await part.check(ACCESS_CHECK, open_access, *DEPENDENT_CHECKS):
            await _DeploymentChecks(part, opened[0]).run()


class _DeploymentChecks:
    """Checks function, bucket and site. Workers and API processes need different permissions: only those are used."""

    def __init__(self, part: CheckGroup, checks: Checks) -> None:
        self._part = part
        self._checks = checks
        self._has_probe = self._has_video = self._may_have_video = False

    async def run(self) -> None:
        check = self._part.check
        (
            function,
            queue,
            bucket,
            writing,
            videos,
            acl,
            reading,
            privacy,
            deleting,
            versions,
            encryption,
            site,
            compositions,
        ) = DEPENDENT_CHECKS
        if is_usable := await check(function, self._check_function, queue, compositions):
            await check(queue, self._check_queue)
        await check(bucket, self._check_bucket)
        try:
            self._has_probe = await check(writing, self._check_writing)
            self._has_video = await check(videos, self._check_videos, acl)
            if self._has_video:
                await check(acl, self._check_acl)
            await check(reading, self._check_reading)
            await check(privacy, self._check_privacy)
        finally:
            await check(deleting, self._check_deleting)
        await check(versions, self._check_versions)
        await check(encryption, self._check_encryption)
        await check(site, self._check_site)
        if is_usable:
            await check(compositions, self._check_compositions)

    def _require(self, *roles: Role) -> None:
        if not self._part.is_for(*roles):
            raise CheckSkipped(f"`rendercast {self._part.role}` does not need it.")

    async def _check_function(self) -> str:
        self._require(Role.DEV, Role.WORKER)
        return f"It exists and has Remotion {await self._checks.require_function()}."

    async def _check_queue(self) -> str:
        return await _sentence(self._checks.hints.launches())

    async def _check_bucket(self) -> str:
        await self._checks.require_bucket()
        return "It exists in the function's region and may be listed."

    async def _check_writing(self) -> str:
        self._require(Role.DEV, Role.WORKER)
        await self._checks.store_probe()
        return "Renders can be cancelled."

    async def _check_videos(self) -> str:
        self._require(Role.DEV, Role.WORKER)
        self._may_have_video = True  # also if a later step fails
        await self._checks.store_fence()
        where = await self._checks.read_output()
        return f"Posters can be stored, and stopped attempts can't start again. {where}"

    async def _check_acl(self) -> str:
        try:
            return await self._checks.require_acl()
        except SettingNotReadable as reason:
            raise CheckSkipped(str(reason)) from reason

    async def _check_reading(self) -> str:
        await self._checks.request_missing_video()
        if self._has_probe:
            await self._checks.read_probe()
        return "Progress, videos and parts of videos can be read."

    async def _check_privacy(self) -> str:
        if not (self._has_probe and self._has_video):
            raise CheckSkipped("There is no test object in the bucket.")
        await self._checks.require_privacy()
        return "Objects can only be read with a signed URL."

    async def _check_deleting(self) -> str:
        if not (self._has_probe or self._may_have_video):
            raise CheckSkipped("There is no test object in the bucket.")
        try:
            await self._checks.remove_probes()
        except StartupError as error:
            if self._part.role is Role.WORKER:
                raise CheckWarning(f"The test objects can't be deleted: {error}") from error
            raise
        return "The test objects were deleted, as the files of deleted renders are."

    async def _check_versions(self) -> str:
        return await _sentence(self._checks.hints.versions())

    async def _check_encryption(self) -> str:
        return await _sentence(self._checks.hints.encryption())

    async def _check_site(self) -> str:
        await self._checks.require_site()
        return "REMOTION_SERVE_URL responds."

    async def _check_compositions(self) -> str:
        return await _sentence(self._checks.compositions())


async def _sentence(reading: Awaitable[Hint]) -> str:
    """Return the sentence of a good hint. Raises `CheckWarning` for another one, `CheckSkipped` if it is unknown."""
    try:
        hint = await reading
    except SettingNotReadable as reason:
        raise CheckSkipped(str(reason)) from reason
    if not hint.is_good:
        raise CheckWarning(hint.sentence)
    return hint.sentence
