"""Parses the name of a deployed Remotion function, which contains its version, memory and timeout."""

import re
from dataclasses import dataclass
from datetime import timedelta

# `remotion lambda functions deploy` uses these names. Lambda accepts a name, an ARN or a partial ARN, each with or
# without a qualifier: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html#API_Invoke_RequestParameters
_NAME = re.compile(
    r"(?:(?:arn:[a-z-]+:lambda:[a-z0-9-]+:)?\d{12}:function:)?"
    r"remotion-render-(?P<version>\d+-\d+-\d+[\w-]*)"
    r"-mem(?P<memory>\d{1,5})mb-disk\d{1,5}mb-(?P<timeout>\d{1,5})sec"
    r"(?::[\w$-]+)?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A deployed function. `timeout` limits each invocation."""

    version: str
    memory_mb: int
    timeout: timedelta


def parse_function_name(name: str) -> Function | None:
    """Return the function that the name or ARN describes; None if the name doesn't follow Remotion's convention.

    Names contain at most ten characters of the version, so a longer one, of a pre-release, is returned truncated.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    return Function(
        version=match["version"].replace("-", ".", 2),
        memory_mb=int(match["memory"]),
        timeout=timedelta(seconds=int(match["timeout"])),
    )
