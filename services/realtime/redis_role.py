"""Checks that a server is one whose messages reach all subscribers."""

from collections.abc import Awaitable, Callable
from contextlib import suppress

from redis.exceptions import ResponseError

from services.realtime.redis_errors import IsSentinel, NotPrimary

PROTOCOL = "2"
REPLICA_ROLES = (b"replica", b"slave")


async def check_role(execute: Callable[..., Awaitable[object]]) -> None:
    """Return if the server replies and is a primary, or a node of a cluster, which forwards messages to the others.

    HELLO reports the role, and unlike ROLE and INFO it is permitted to every user
    (https://redis.io/docs/latest/commands/hello/). Servers before Redis 6 don't know it. Raises `NotPrimary`,
    `IsSentinel`, or the error of a command.
    """
    fields: dict[object, object] = {}
    with suppress(ResponseError):
        reply = await execute("HELLO", PROTOCOL)
        if isinstance(reply, list):
            fields = dict(zip(reply[::2], reply[1::2], strict=False))
    if fields.get(b"mode") == b"sentinel":
        raise IsSentinel
    if fields.get(b"mode") != b"cluster" and fields.get(b"role") in REPLICA_ROLES:
        raise NotPrimary
    await execute("PING")  # which needs a permission, as all else that is sent
