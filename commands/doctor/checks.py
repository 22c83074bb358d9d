"""The checks of `rendercast doctor`. The parts of a deployment are checked concurrently and independently."""

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path

from commands.doctor.catalog_checks import check_compositions
from commands.doctor.lambda_checks import check_lambda
from commands.doctor.mongo_checks import check_mongodb
from commands.doctor.node_checks import check_node
from commands.doctor.redis_checks import check_redis
from commands.doctor.report import CheckGroup, CheckSkipped, Finding, Result
from commands.doctor.role import Role
from commands.doctor.storage_checks import check_storage
from commands.doctor.token_checks import check_tokens
from pages.graphiql import load_graphiql
from services.errors import StartupError
from services.settings import PLATFORM_VARIABLES, Settings, read_settings, setting_warnings, unknown_variables
from services.webhooks.configuration import read_endpoint_config
from services.webhooks.endpoint import open_endpoint
from services.webhooks.ports import EndpointError

MIN_FREE_BYTES = 500_000_000


async def diagnose(role: Role | None) -> Sequence[Finding]:
    """Run all checks that apply to the role, or to any if it is None, and return their findings."""
    settings, findings = check_settings(role)
    groups = [CheckGroup(settings, role) for _ in CHECKS]
    async with asyncio.TaskGroup() as tasks:
        for check, group in zip(CHECKS, groups, strict=True):
            tasks.create_task(check(group))
    return [*findings, *(finding for group in groups for finding in group.findings)]


def check_settings(role: Role | None) -> tuple[Settings, list[Finding]]:
    """Return the settings, with defaults in place of invalid values, and the findings about them."""
    settings, problems = read_settings(PLATFORM_VARIABLES if role is Role.SERVE else {})
    problems += unknown_variables()
    is_served = role is Role.SERVE or (role is None and settings.storage.mongodb_url is not None)
    warnings = setting_warnings(settings, serves=is_served)
    sentences = [*((Result.WRONG, line) for line in problems), *((Result.WARNING, line) for line in warnings)]
    return settings, [
        Finding(check="settings", result=result, sentence=sentence)
        for result, sentence in sentences or [(Result.OK, "All settings are valid.")]
    ]


async def _data_folder(group: CheckGroup) -> None:
    async def check() -> str:
        if not group.is_embedded and group.renderer == "lambda":
            raise CheckSkipped("Not needed: renders are stored in MongoDB, videos in S3.")
        return await asyncio.to_thread(_check_folder, group.settings.storage.data_dir)

    await group.check("data folder", check)


def _check_folder(folder: Path) -> str:
    """Check that the folder, or its nearest existing parent, is writable and has free space."""
    existing = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise StartupError(
            f"{existing} is not writable: {error.strerror}. Fix that, or set RENDERCAST_DATA_DIR to another folder."
        ) from error
    free = shutil.disk_usage(existing).free
    if free < MIN_FREE_BYTES:
        raise StartupError(f"{folder} has only {free // 1_000_000} MB left: free space, or set RENDERCAST_DATA_DIR.")
    return f"{folder} is writable."


async def _web_page(group: CheckGroup) -> None:
    async def check() -> str:
        if not group.is_for(Role.DEV, Role.SERVE):
            raise CheckSkipped("A worker has no web page.")
        if not (await asyncio.to_thread(load_graphiql, group.settings.pages.web_dir)).files:
            raise CheckSkipped("GraphiQL loads its files from a CDN: `npm ci --prefix web` installs them here.")
        return "GraphiQL's files are served by this server."

    await group.check("web page", check)


async def _webhooks(group: CheckGroup) -> None:
    async def check() -> str:
        config = read_endpoint_config(group.settings.webhooks)
        if config is None:
            raise CheckSkipped("No webhooks are sent: RENDERCAST_WEBHOOK_URL is not set.")
        async with open_endpoint(config) as endpoint:
            try:
                addresses = await endpoint.resolve()
            except EndpointError as error:
                raise StartupError(f"RENDERCAST_WEBHOOK_URL can't be used: {error}.") from error
        serves_files = group.renderer != "lambda" and group.settings.outputs.output_bucket is None
        if serves_files and group.settings.server.public_url is None and not group.is_embedded:
            raise StartupError("RENDERCAST_PUBLIC_URL is not set: `outputUrl` in webhooks would refer to localhost.")
        return f"{endpoint.host} resolves to {', '.join(addresses)}, which may be called."

    await group.check("webhooks", check)


CHECKS: tuple[Callable[[CheckGroup], Coroutine[None, None, None]], ...] = (
    _data_folder,
    _web_page,
    check_mongodb,
    check_redis,
    check_tokens,
    _webhooks,
    check_lambda,
    check_node,
    check_storage,
    check_compositions,
)
