"""The failures of renders on Lambda.

`message` is for the render's owner and names no part of the deployment. `detail` is for the operator: the remedy, with
the names of settings.
"""

from services.models import Failure
from services.renders.failure_messages import OWNER_MESSAGES


def _retryable(code: str, remedy: str | None = None) -> Failure:
    """Return a failure that may not occur in another attempt."""
    return Failure(code=code, message=OWNER_MESSAGES[code], retryable=True, detail=remedy)


def _final(code: str, remedy: str | None = None) -> Failure:
    """Return a failure that would occur in every attempt."""
    return Failure(code=code, message=OWNER_MESSAGES[code], retryable=False, detail=remedy)


TIMED_OUT = _retryable(
    "RENDER_TIMEOUT",
    "The function exceeded its timeout: deploy one with a longer timeout and name it in REMOTION_LAMBDA_FUNCTION_NAME.",
)
UNKNOWN = _final("RENDER_FAILED")
BUSY = _retryable(
    "RENDERER_BUSY",
    "The AWS account's Lambda concurrency is used up: raise it, or lower RENDERCAST_WORKER_CAPACITY.",
)
CONNECTION = _retryable("RENDERER_UNAVAILABLE")
CRASHED = _retryable(
    "RENDERER_CRASHED",
    "If this repeats, deploy a function with more memory and name it in REMOTION_LAMBDA_FUNCTION_NAME.",
)
MEMORY = _retryable(
    "RENDERER_OUT_OF_MEMORY",
    "If this repeats, deploy a function with more memory and name it in REMOTION_LAMBDA_FUNCTION_NAME.",
)
DISK = _retryable(
    "RENDERER_OUT_OF_DISK",
    "If this repeats, deploy a function with more disk space and name it in REMOTION_LAMBDA_FUNCTION_NAME.",
)
FRAME = _retryable("FRAME_TIMEOUT")
NO_FRAME = _final("FRAME_OUT_OF_RANGE")
STOPPED = _final("RENDER_STOPPED")
VERSION = _final(
    "VERSION_MISMATCH",
    "The function has another version than the configured one: correct REMOTION_LAMBDA_FUNCTION_NAME or "
    "REMOTION_VERSION.",
)
FUNCTION = _final(
    "FUNCTION_NOT_FOUND",
    "The function does not exist: correct REMOTION_LAMBDA_FUNCTION_NAME or REMOTION_AWS_REGION.",
)
BUCKET = _final(
    "BUCKET_NOT_FOUND",
    "The bucket does not exist: correct REMOTION_BUCKET_NAME or REMOTION_AWS_REGION.",
)
SITE = _final(
    "SITE_UNREACHABLE",
    "The function can't load the site with the composition: deploy the site again or correct REMOTION_SERVE_URL.",
)
OLD_SITE = _final(
    "SITE_INCOMPATIBLE",
    "The function can't use the site with the composition: deploy the site with the function's version and "
    "name it in REMOTION_SERVE_URL.",
)
NO_COMPOSITION = _final(
    "COMPOSITION_NOT_FOUND",
    "The site has no composition with this id: deploy the site of REMOTION_SERVE_URL again, or correct "
    "REMOTION_COMPOSITION, which renders `animationProps`.",
)
COMPOSITION = _final(
    "COMPOSITION_ERROR",
    "The composition raised an error: if it does so for valid props, fix it and deploy the site of REMOTION_SERVE_URL "
    "again.",
)
DENIED = _final(
    "ACCESS_DENIED",
    "A permission is missing on AWS: correct the role of the function that REMOTION_LAMBDA_FUNCTION_NAME "
    "names, its permissions for the KMS key of the bucket, or REMOTION_BUCKET_NAME.",
)
ACL = _final(
    "ACL_NOT_SUPPORTED",
    "The bucket does not allow access control lists: set REMOTION_PRIVACY=no-acl.",
)
BROKEN_FUNCTION = _final(
    "FUNCTION_BROKEN",
    "Lambda can't run the function that REMOTION_LAMBDA_FUNCTION_NAME names: deploy it again.",
)
CREDENTIALS = _final(
    "CREDENTIALS_INVALID",
    "The AWS credentials are wrong or have expired: renew REMOTION_AWS_ACCESS_KEY_ID and "
    "REMOTION_AWS_SECRET_ACCESS_KEY, or the source that replaces them.",
)
ALREADY_STORED = _retryable("OUTPUT_EXISTS")
LOST = _retryable(
    "RENDER_LOST",
    "Neither the progress file nor the output exists: check what deletes objects under renders/ or rendercast/.",
)
MISSING = _retryable(
    "OUTPUT_MISSING",
    "The function reports the end of the render, but the output does not exist: check what deletes objects under "
    "rendercast/, and whether the function's role may store them.",
)
TOO_LARGE = _final("REQUEST_TOO_LARGE")
