"""Interprets the result of a start: the render's id, or the domain error for a response or an AWS error."""

from services.backends.remotion_lambda.aws import Invocation
from services.backends.remotion_lambda.failure_kinds import BUSY
from services.backends.remotion_lambda.failures import classify
from services.backends.remotion_lambda.responses import ErrorResponse, StartResponse, parse_crash, parse_start
from services.errors import StartImpossible, StartRejected, StartUncertain
from services.storage.aws_errors import AwsError, AwsErrorKind, broken_function

# Error types of Lambda for a function whose code could not be loaded.
NOT_LOADED = {"Runtime.HandlerNotFound", "Runtime.ImportModuleError", "Runtime.InvalidEntrypoint"}


def parse_started(invocation: Invocation) -> str:
    """Return Remotion's id of the started render. Raises as `RenderBackend.start` does."""
    try:
        response = parse_crash(invocation.body) if invocation.crashed else parse_start(invocation.body)
    except ValueError as error:
        raise StartUncertain(f"the function's response can't be parsed: {invocation.body[:500]!r}") from error
    if isinstance(response, StartResponse):
        return response.render_id
    if isinstance(response, ErrorResponse):
        raise _function_error(response)
    crash = f"the function crashed: {response.error_type}: {response.error_message}"
    raise start_error(broken_function(crash)) if response.error_type in NOT_LOADED else StartUncertain(crash)


def _function_error(response: ErrorResponse) -> StartRejected | StartImpossible | StartUncertain:
    """Return the domain error for an error of the function's own code.

    The function invokes itself for the launch before it has stored the first progress file, so an error of S3 or of the
    network does not mean that nothing runs. If Lambda throttles that invocation, nothing does.
    """
    failure = classify(response.message, stack=response.stack)
    if not failure.retryable:
        return StartImpossible(failure)
    return StartRejected(response.message) if failure.code == BUSY.code else StartUncertain(response.message)


def start_error(error: AwsError) -> StartRejected | StartImpossible | StartUncertain:
    """Return the domain error for an AWS error during a start."""
    if error.kind in {AwsErrorKind.NOT_SENT, AwsErrorKind.THROTTLED}:
        return StartRejected(str(error))
    return StartUncertain(str(error)) if error.failure is None else StartImpossible(error.failure)


def not_started(error: AwsError) -> StartRejected | StartImpossible:
    """Return the domain error for an AWS error before a start."""
    return StartRejected(str(error)) if error.failure is None else StartImpossible(error.failure)
