"""The sentences for the owners of failed renders, by code. They name nothing of the server, which owners can't change.

What an operator has to do is in `Failure.detail` and in the log.
"""

import re
from types import MappingProxyType

from services.failure_codes import FAILURE_CODES
from services.models import Failure

_NOT_SET_UP = (
    "Nothing can be rendered because the render service is not set up correctly. Trying again does not help; please "
    "contact the operator."
)
_TRY_AGAIN = "Please try again; if it fails again, contact the operator."
_BY_CODE = {
    "COMPOSITION_ERROR": "This animation can't be drawn. Please change it; if other animations fail too, contact the "
    "operator.",
    "DEADLINE_EXCEEDED": "The render took too long and was stopped. Please try again.",
    "DURATION_EXCEEDED": "The output would be longer than allowed. Please shorten it.",
    "FRAME_OUT_OF_RANGE": "The composition has fewer frames than that. Please choose an earlier frame.",
    "FRAME_TIMEOUT": f"A frame took too long. {_TRY_AGAIN}",
    "INTERNAL": "Something went wrong on our side. Please try again.",
    "INVALID_ANIMATION": "This animation can't be drawn. Please change it.",
    "OUTPUT_TOO_LARGE": "The output would be larger than allowed. Please choose a smaller size or a shorter duration.",
    "OUTPUT_EXISTS": "An output of this render was already stored. Start the render again if you don't find it.",
    "OUTPUT_MISSING": f"The finished output could not be found. {_TRY_AGAIN}",
    "QUEUE_TIMEOUT": "The render could not be started in time. Please try again later.",
    "RENDERER_BUSY": "Too many renders are running at the moment. Please try again in a few minutes.",
    "RENDERER_CRASHED": f"The renderer stopped unexpectedly. {_TRY_AGAIN}",
    "RENDERER_OUT_OF_DISK": f"The renderer ran out of disk space. {_TRY_AGAIN}",
    "RENDERER_OUT_OF_MEMORY": f"The renderer ran out of memory. {_TRY_AGAIN}",
    "RENDERER_UNAVAILABLE": "The renderer lost a network connection. Please try again.",
    "RENDER_FAILED": "The renderer could not make this output. Trying again is unlikely to help; please contact the "
    "operator.",
    "RENDER_LOST": "The render's files were deleted while it was running. Please try again.",
    "RENDER_STOPPED": "The render was stopped from outside. Start it again if you still want it.",
    "RENDER_TIMEOUT": "The render took too long and was stopped. Please try again or make the output shorter; if it "
    "fails again, contact the operator.",
    "REQUEST_TOO_LARGE": "The animation is too large for the renderer. Please shorten its text.",
}

OWNER_MESSAGES = MappingProxyType({code: _BY_CODE.get(code, _NOT_SET_UP) for code in FAILURE_CODES})

# Names of settings, hosts, paths and parts of AWS. Versions before 0.2.0 stored them in messages for owners.
_INTERNALS = re.compile(
    r"\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b|\b(?:AWS|S3|IAM|ARN|[Bb]uckets?|Lambda|render function)\b|https?://|\barn:|/\w+/\w",
    re.ASCII,
)


def internal_failure(error_id: str) -> Failure:
    """Return the failure of what an unexpected exception has ended. The log has its traceback with this id."""
    message = f"Something went wrong on our side (error {error_id}). Please try again."
    return Failure(code="INTERNAL", message=message, retryable=True)


def message_for_owner(failure: Failure) -> str:
    """Return the message of a stored failure; if it names parts of the server, the sentence of its code instead."""
    if _INTERNALS.search(failure.message) is None:
        return failure.message
    return OWNER_MESSAGES.get(failure.code, _BY_CODE["RENDER_FAILED"])
