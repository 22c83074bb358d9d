"""The codes of failed renders: what each means, and whether it returns the render's unit of quota.

A failure that its user caused keeps the unit. An output that only the renderer could find to be invalid returns it, as
does every failure of the service. `docs/deploying.md` says for each code what the operator can do.
"""

from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class FailureCode:
    """The meaning of one code, and whether a render that failed with it gets its unit of quota back."""

    meaning: str
    returns_quota: bool


_USERS = {
    "COMPOSITION_ERROR": "the composition raised an error for these props",
    "INVALID_ANIMATION": "the text renderer rejected a value of the animation",
}
_INVALID_OUTPUTS = {
    "DURATION_EXCEEDED": "the composition turned out to be longer than the limit for these props",
    "FRAME_OUT_OF_RANGE": "the composition turned out to have too few frames for the still's frame",
    "OUTPUT_TOO_LARGE": "the composition turned out to have more pixels than the limit for these props",
}
_SERVICES = {
    "ACCESS_DENIED": "a permission is missing, on AWS or in the output storage",
    "ACL_NOT_SUPPORTED": "the bucket does not allow access control lists",
    "BUCKET_NOT_FOUND": "the bucket does not exist",
    "COMPOSITION_NOT_FOUND": "the renderer has no composition with this id",
    "CREDENTIALS_INVALID": "the credentials for AWS or for the output storage are wrong or have expired",
    "DEADLINE_EXCEEDED": "every attempt reached its time limit without a result",
    "FRAME_TIMEOUT": "a frame was not ready in time",
    "FUNCTION_BROKEN": "Lambda can't run the function",
    "FUNCTION_NOT_FOUND": "the function does not exist",
    "INTERNAL": "an error in Rendercast",
    "OUTPUT_EXISTS": "an object is already stored under the attempt's key",
    "OUTPUT_MISSING": "the renderer reported the end, but its output is not there",
    "QUEUE_TIMEOUT": "no worker started the render in time",
    "REGION_NOT_FOUND": "the host name of AWS or of the output storage can't be resolved",
    "RENDERER_BUSY": "the account's concurrency was used up",
    "RENDERER_CRASHED": "the renderer's process or browser stopped, or reported nothing for too long",
    "RENDERER_OUT_OF_DISK": "the renderer's disk was full",
    "RENDERER_OUT_OF_MEMORY": "the renderer ran out of memory",
    "RENDERER_UNAVAILABLE": "the renderer lost a network connection",
    "RENDER_FAILED": "any other error of the renderer",
    "RENDER_LOST": "the render's files were deleted, or its worker ended too often",
    "RENDER_STOPPED": "something other than Rendercast stopped the render",
    "RENDER_TIMEOUT": "the function reached its timeout",
    "REQUEST_REFUSED": "AWS or the output storage rejected a request",
    "REQUEST_TOO_LARGE": "the props don't fit into a request to AWS",
    "SITE_INCOMPATIBLE": "the site has another version of Remotion than the function",
    "SITE_UNREACHABLE": "the renderer can't load the site",
    "VERSION_MISMATCH": "the function has another version than the configured one",
}

FAILURE_CODES = MappingProxyType(
    {code: FailureCode(meaning, returns_quota=False) for code, meaning in _USERS.items()}
    | {code: FailureCode(meaning, returns_quota=True) for code, meaning in (_INVALID_OUTPUTS | _SERVICES).items()}
)


def returns_quota(code: str) -> bool:
    """Return whether a render that failed with this code gets its unit of quota back: also if the code is unknown."""
    known = FAILURE_CODES.get(code)
    return known is None or known.returns_quota
