"""What became of a start, by what the function or AWS answered."""

from services.backends.remotion_lambda.answers import Accepted, Refused, parse_crash, parse_start
from services.backends.remotion_lambda.aws import Invocation
from services.backends.remotion_lambda.failures import classify
from services.backends.remotion_lambda.faults import AwsError, Meaning, broken_function
from services.errors import StartImpossible, StartRefused, StartUncertain

NEVER_RAN = {"Runtime.HandlerNotFound", "Runtime.ImportModuleError", "Runtime.InvalidEntrypoint"}


def started(answer: Invocation) -> str:
    """Return Remotion's id of the render from the answer. Raises as `RenderBackend.start`."""
    try:
        told = parse_crash(answer.body) if answer.crashed else parse_start(answer.body)
    except ValueError as error:
        raise StartUncertain(f"the function's answer can't be understood: {answer.body[:500]!r}") from error
    if isinstance(told, Accepted):
        return told.render_id
    if isinstance(told, Refused):
        failure = classify(told.message, stack=told.stack)
        raise StartRefused(told.message) if failure.retryable else StartImpossible(failure)
    crash = f"the function crashed: {told.error_type}: {told.error_message}"
    raise not_started(broken_function(crash)) if told.error_type in NEVER_RAN else StartUncertain(crash)


def not_started(error: AwsError) -> StartRefused | StartImpossible | StartUncertain:
    """Return what a fault in the course of a start leaves possible."""
    if error.meaning in {Meaning.NEVER_SENT, Meaning.NOT_NOW}:
        return StartRefused(str(error))
    return StartUncertain(str(error)) if error.failure is None else StartImpossible(error.failure)
