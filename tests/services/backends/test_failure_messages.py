"""Messages for a render's owner name nothing of the server; the remedy for the operator is in the detail."""

import importlib
import pkgutil
from collections.abc import Iterator

import pytest

import services.backends
import services.worker
from services.backends.remotion_lambda import aws_errors
from services.backends.remotion_lambda.failures import classify
from services.backends.text import child
from services.models import Failure
from tests.services.backends.remotion_lambda.test_failures import FINAL, RETRYABLE

INTERNALS = (
    "REMOTION_",
    "RENDERCAST_",
    "AWS",
    "MONGODB_",
    "REDIS_",
    "doctor",
    "bucket",
    "lambda",
    "setting",
    "the log",
)
OPERATIONS = (*aws_errors._PERMISSIONS, "SomethingNew")
AWS_CODES = (*aws_errors._REMEDIES, "SomethingNew")


def constants() -> Iterator[Failure]:
    """Return the failures that the modules of the backends and the worker define."""
    for package in (services.backends, services.worker):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            values = vars(importlib.import_module(found.name)).values()
            yield from (value for value in values if isinstance(value, Failure))


def failures() -> list[Failure]:
    """Return all failures that a render can have, apart from those with messages of the renderer process."""
    classified = [classify(message) for message, _ in (*FINAL, *RETRYABLE)]
    errors = [
        *(
            aws_errors.error_from_response(operation, code=code, status=400, detail="")
            for operation in OPERATIONS
            for code in AWS_CODES
        ),
        aws_errors.missing_credentials(""),
        aws_errors.broken_function(""),
    ]
    return [*constants(), *classified, *(error.failure for error in errors if error.failure is not None)]


FAILURES = failures()


def test_the_failures_are_found() -> None:
    codes = {failure.code for failure in FAILURES}
    assert {"RENDER_LOST", "QUEUE_TIMEOUT", "RENDERER_CRASHED", "ACCESS_DENIED", "FUNCTION_BROKEN"} <= codes


@pytest.mark.parametrize("message", sorted({failure.message for failure in FAILURES}))
def test_no_message_names_internals_of_the_server(message: str) -> None:
    assert [word for word in INTERNALS if word.lower() in message.lower()] == []
    assert message.endswith(".")


@pytest.mark.parametrize("message", [child._NOT_STORED, child._NOT_DRAWN, child._OUT_OF_MEMORY])
def test_no_message_of_the_renderer_process_names_internals_of_the_server(message: str) -> None:
    assert [word for word in INTERNALS if word.lower() in message.lower()] == []


def test_only_the_operator_gets_the_remedy() -> None:
    denied = aws_errors.error_from_response("PutObject", code="AccessDenied", status=403, detail="no").failure
    assert denied is not None
    assert "operator" in denied.message
    assert (
        denied.detail
        == "A permission is missing on AWS: grant s3:PutObject to the AWS user. (PutObject: AccessDenied: no)"
    )
