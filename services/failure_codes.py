"""The codes of failed renders: who caused each failure, and what it means.

The unit of quota of a render that failed is returned unless its user caused the failure. `docs/deploying.md` says for
each code what the operator can do.
"""

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Cause(StrEnum):
    """Who caused a failure: the user by what was requested, or the service, its operator or a dependency."""

    USER = "user"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class FailureCode:
    """The cause and the meaning of one code."""

    cause: Cause
    meaning: str


_USERS = {
    "COMPOSITION_ERROR": "the composition raised an error for these props",
    "INVALID_ANIMATION": "the text renderer refused a value of the animation",
}
_SERVICES = {
    "ACCESS_DENIED": "a permission is missing on AWS",
    "ACL_NOT_SUPPORTED": "the bucket does not allow access control lists",
    "BUCKET_NOT_FOUND": "the bucket does not exist",
    "COMPOSITION_NOT_FOUND": "the site has no composition of the configured name",
    "CREDENTIALS_INVALID": "the AWS credentials are wrong or have expired",
    "DEADLINE_EXCEEDED": "every attempt reached its time limit without a result",
    "FRAME_TIMEOUT": "a frame was not ready in time",
    "FUNCTION_BROKEN": "Lambda can't run the function",
    "FUNCTION_NOT_FOUND": "the function does not exist",
    "INTERNAL": "an error in Rendercast",
    "OUTPUT_EXISTS": "an object is already stored under the attempt's key",
    "OUTPUT_MISSING": "the renderer reported the end, but its output is not stored",
    "QUEUE_TIMEOUT": "no worker started the render in time",
    "REGION_NOT_FOUND": "the AWS region does not exist or can't be reached",
    "RENDERER_BUSY": "the account's concurrency was used up",
    "RENDERER_CRASHED": "the renderer's process or browser stopped, or reported nothing for too long",
    "RENDERER_OUT_OF_DISK": "the renderer's disk was full",
    "RENDERER_OUT_OF_MEMORY": "the renderer ran out of memory",
    "RENDERER_UNAVAILABLE": "the renderer lost a network connection",
    "RENDER_FAILED": "any other error of the renderer",
    "RENDER_LOST": "the render's files were deleted, or its worker ended too often",
    "RENDER_STOPPED": "something other than Rendercast stopped the render",
    "RENDER_TIMEOUT": "the function reached its timeout",
    "REQUEST_REFUSED": "AWS rejected a request",
    "REQUEST_TOO_LARGE": "the props don't fit into a request to AWS",
    "SITE_INCOMPATIBLE": "the site has another version of Remotion than the function",
    "SITE_UNREACHABLE": "the renderer can't load the site",
    "VERSION_MISMATCH": "the function has another version than the configured one",
}

FAILURE_CODES = MappingProxyType(
    {code: FailureCode(Cause.USER, meaning) for code, meaning in _USERS.items()}
    | {code: FailureCode(Cause.SERVICE, meaning) for code, meaning in _SERVICES.items()}
)


def cause_of(code: str) -> Cause:
    """Return who caused a failure with this code: the service, if the code is unknown."""
    known = FAILURE_CODES.get(code)
    return Cause.SERVICE if known is None else known.cause
