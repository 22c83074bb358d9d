"""The checks of `rendercast doctor` for a deployment on Remotion Lambda."""

from collections.abc import Awaitable
from contextlib import AsyncExitStack

from commands.doctor.report import CheckGroup, CheckSkipped, CheckWarning
from commands.doctor.role import Role
from services.backends.remotion_lambda.checks import Checks, open_checks
from services.backends.remotion_lambda.deployment import read_deployment
from services.backends.remotion_lambda.hints import Hint, SettingNotReadable
from services.errors import StartupError

ACCESS = "AWS access"
FUNCTION = "Lambda function"
QUEUE = "Lambda queue"
BUCKET = "S3 bucket"
WRITING = "S3 writing"
VIDEOS = "S3 videos"
ACL = "S3 ACL"
READING = "S3 reading"
PRIVACY = "S3 privacy"
DELETING = "S3 deleting"
VERSIONS = "S3 versions"
ENCRYPTION = "S3 encryption"
SITE = "Remotion site"
COMPOSITIONS = "Remotion compositions"
DEPENDENT_CHECKS = (
    FUNCTION,
    QUEUE,
    BUCKET,
    WRITING,
    VIDEOS,
    ACL,
    READING,
    PRIVACY,
    DELETING,
    VERSIONS,
    ENCRYPTION,
    SITE,
    COMPOSITIONS,
)


async def check_lambda(group: CheckGroup) -> None:
    """Check the credentials and, if they are valid, function, bucket and site."""
    opened: list[Checks] = []
    async with AsyncExitStack() as closing:

        async def open_access() -> str:
            if group.renderer != "lambda":
                raise CheckSkipped(f"The renderer is `{group.renderer}`. For Lambda, set RENDERCAST_RENDERER=lambda.")
            deployment = read_deployment(
                group.settings.remotion, group.settings.outputs, public_url=group.settings.server.public_url
            )
            opened.append(await closing.enter_async_context(open_checks(deployment)))
            return f"Credentials for {deployment.access.region} exist."

        if await group.check(ACCESS, open_access, *DEPENDENT_CHECKS):
            await _DeploymentChecks(group, opened[0]).run()


class _DeploymentChecks:
    """Checks function, bucket and site. Workers and API processes need different permissions: only those are used."""

    def __init__(self, group: CheckGroup, checks: Checks) -> None:
        self._group = group
        self._checks = checks
        self._has_probe = self._has_video = self._may_have_video = False

    async def run(self) -> None:
        check = self._group.check
        if is_usable := await check(FUNCTION, self._check_function, QUEUE, COMPOSITIONS):
            await check(QUEUE, self._check_queue)
        await check(BUCKET, self._check_bucket)
        try:
            self._has_probe = await check(WRITING, self._check_writing)
            self._has_video = await check(VIDEOS, self._check_videos, ACL)
            if self._has_video:
                await check(ACL, self._check_acl)
            await check(READING, self._check_reading)
            await check(PRIVACY, self._check_privacy)
        finally:
            await check(DELETING, self._check_deleting)
        await check(VERSIONS, self._check_versions)
        await check(ENCRYPTION, self._check_encryption)
        await check(SITE, self._check_site)
        if is_usable:
            await check(COMPOSITIONS, self._check_compositions)

    def _require(self, *roles: Role) -> None:
        if not self._group.is_for(*roles):
            raise CheckSkipped(f"`rendercast {self._group.role}` does not need it.")

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
        return "Cancel requests can be stored, so renders can be cancelled."

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
            if self._group.role is Role.WORKER:
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
