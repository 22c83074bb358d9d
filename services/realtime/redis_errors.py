"""Describes errors of Redis in a few words, without secrets and without text that a server may have echoed."""

from redis.exceptions import AuthenticationError, InvalidResponse, NoPermissionError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

ACL_RULES = "+@connection +@pubsub -@admin -@dangerous &rendercast:*"  # all that a user of Redis needs
CONNECTION_ERRORS = (RedisError, OSError, ValueError)  # redis-py raises ValueError for a malformed number in a reply


class NotPrimary(RedisError):  # noqa: N818  # a state of the server
    """The server is a replica: it accepts messages, which reach no subscriber of the primary."""


class IsSentinel(RedisError):  # noqa: N818  # a kind of server
    """The server is a Sentinel, which only knows the address of the primary."""


REJECTIONS = (AuthenticationError, NoPermissionError, NotPrimary, IsSentinel)  # which only the operator can fix
REASONS = (
    (AuthenticationError, "it doesn't accept the user or password of REDIS_URL, or requires one"),
    (NoPermissionError, f"it doesn't permit this to the user of REDIS_URL, who needs {ACL_RULES}"),
    (NotPrimary, "it is a replica, which forwards no messages to the primary; REDIS_URL must lead to the primary"),
    (IsSentinel, "it is a Sentinel; set REDIS_URL to the address of the primary"),
    ((InvalidResponse, ValueError), "it doesn't speak the protocol of Redis"),
    (ResponseError, "it rejected the command"),
    ((TimeoutError, RedisTimeoutError), "no reply in time"),
)


def failure_reason(error: BaseException) -> str:
    """Return in a few words why Redis is unavailable."""
    for kind, words in REASONS:
        if isinstance(error, kind):
            return words
    cause = error if isinstance(error, OSError) else error.__context__
    if isinstance(cause, OSError):
        return cause.strerror or type(cause).__name__
    return str(error).rstrip(".")
