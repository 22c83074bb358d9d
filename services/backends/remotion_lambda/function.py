"""What the name of a deployed Remotion function tells about it."""

import re
from dataclasses import dataclass
from datetime import timedelta

# `remotion lambda functions deploy` names functions so; Lambda takes a name, an ARN or a part of one, each with a
# qualifier or not: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html#API_Invoke_RequestParameters
_NAME = re.compile(
    r"(?:(?:arn:[a-z-]+:lambda:[a-z0-9-]+:)?\d{12}:function:)?"
    r"remotion-render-(?P<version>\d+-\d+-\d+[\w-]*)"
    r"-mem(?P<memory>\d{1,5})mb-disk\d{1,5}mb-(?P<timeout>\d{1,5})sec"
    r"(?::[\w$-]+)?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A deployed function. `timeout` ends each of its invocations."""

    version: str
    memory_mb: int
    timeout: timedelta


def parse_function_name(name: str) -> Function | None:
    """Return what the name or ARN of a function tells; None if it was not named by Remotion's convention.

    Names hold ten characters of the version at most, so a longer one, of a pre-release, comes back cut.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    return Function(
        version=match["version"].replace("-", ".", 2),
        memory_mb=int(match["memory"]),
        timeout=timedelta(seconds=int(match["timeout"])),
    )
