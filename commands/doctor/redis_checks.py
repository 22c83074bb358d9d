"""The check of `rendercast doctor` for Redis."""

import asyncio
import secrets

from commands.doctor.report import CheckGroup, CheckSkipped
from commands.doctor.role import Role
from services.errors import RendercastError, StartupError
from services.realtime.pubsub import open_pubsub
from services.realtime.redis_errors import ACL_RULES

PUBLISH_TIMEOUT_S = 5.0


async def check_redis(group: CheckGroup) -> None:
    """Check that a message published on Redis is received."""
    url = group.settings.storage.redis_url

    async def check() -> str:
        if group.role is Role.DEV or (group.is_embedded and url is None):
            raise CheckSkipped("Not needed by `rendercast dev`. For `serve` and `worker`, set REDIS_URL.")
        if url is None or url.get_secret_value().startswith("memory:"):
            raise StartupError(
                "REDIS_URL is not the URL of a Redis server: set it to one such as redis://:password@host:6379/0."
            )
        try:
            return await _check_redis(url.get_secret_value())
        except RendercastError as error:
            raise StartupError(f"{error} Start it, or correct REDIS_URL or its user's permissions.") from error

    await group.check("Redis", check)


async def _check_redis(url: str) -> str:
    """Check that a published message is received. Raises `StartupError` or `PubSubUnavailable`."""
    received = asyncio.Event()
    channel = f"doctor:{secrets.token_hex(8)}"
    async with open_pubsub(url) as pubsub, pubsub.subscribe(channel, lambda _: received.set()):
        await pubsub.publish(channel, "test")
        try:
            async with asyncio.timeout(PUBLISH_TIMEOUT_S):
                await received.wait()
        except TimeoutError:
            raise StartupError(f"A published message is not received: the user of Redis needs {ACL_RULES}.") from None
    return "It responds, and a published message is received."
