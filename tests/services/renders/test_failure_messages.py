"""Messages for users name nothing of the server; the remedy for the operator is in the detail and in the log."""

import importlib
import pkgutil
from collections.abc import Iterator
from datetime import timedelta

import pytest
from graphql import GraphQLError

import services.backends
import services.worker
from resolvers.errors import to_client_error
from schema.render import RenderError
from services import errors
from services.backends.remotion_lambda.failures import classify
from services.backends.text import child
from services.failure_codes import FAILURE_CODES
from services.models import Failure, Quota, RenderStatus, replace
from services.renders.failure_messages import OWNER_MESSAGES, message_for_owner
from services.storage import aws_errors
from services.webhooks import payloads
from tests.conftest import MakeRender
from tests.services.backends.remotion_lambda.test_failures import FINAL, RETRYABLE
from tests.support.fake_clock import START_OF_TIME

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
    rejected = [
        *(
            aws_errors.error_from_response(operation, code=code, status=400, detail="")
            for operation in OPERATIONS
            for code in AWS_CODES
        ),
        aws_errors.missing_credentials(""),
        aws_errors.broken_function(""),
    ]
    return [*constants(), *classified, *(error.failure for error in rejected if error.failure is not None)]


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


def test_no_message_says_video_since_an_output_may_be_none() -> None:
    shown = {*OWNER_MESSAGES.values(), child._NOT_STORED, child._NOT_DRAWN, str(errors.OutputGone())}
    shown |= {failure.message for failure in FAILURES}
    assert [message for message in shown if "video" in message.lower()] == []


def test_only_the_operator_gets_the_remedy() -> None:
    denied = aws_errors.error_from_response("PutObject", code="AccessDenied", status=403, detail="no").failure
    assert denied is not None
    assert "operator" in denied.message
    assert (
        denied.detail
        == "A permission is missing on AWS: grant s3:PutObject to the AWS user. (PutObject: AccessDenied: no)"
    )


@pytest.mark.parametrize("code", sorted(FAILURE_CODES))
def test_every_code_has_a_sentence_for_owners_that_names_no_internals_of_the_server(code: str) -> None:
    message = OWNER_MESSAGES[code]
    assert [word for word in INTERNALS if word.lower() in message.lower()] == []
    assert message.endswith(".")
    assert message_for_owner(Failure(code=code, message=message, retryable=True)) == message


# As versions before 0.2.0 stored them, and others of their kind.
STORED = [
    ("BUCKET_NOT_FOUND", "The bucket for videos does not exist. Please ask its operator to correct it."),
    ("CREDENTIALS_INVALID", "The AWS credentials of the render service are wrong or have expired."),
    ("CREDENTIALS_INVALID", "Its operator has to renew REMOTION_AWS_ACCESS_KEY_ID."),
    ("RENDER_TIMEOUT", "The render took longer than the render function may run."),
    ("RENDERER_CRASHED", "Name a function with more memory in REMOTION_LAMBDA_FUNCTION_NAME."),
    ("SITE_UNREACHABLE", "Can't open https://remotionlambda-useast1-abcdefghij.s3.us-east-1.amazonaws.com/sites/x."),
    ("ACCESS_DENIED", "User: arn:aws:iam::123456789012:user/x is not authorized."),
    ("RENDER_FAILED", "ENOENT: /var/task/index.js"),
    ("A_CODE_OF_ANOTHER_VERSION", "MONGODB_URL is wrong."),
]


@pytest.mark.parametrize(("code", "message"), STORED)
def test_a_stored_message_that_names_internals_is_shown_as_the_sentence_of_its_code(
    code: str, message: str, make_render: MakeRender
) -> None:
    failure = Failure(code=code, message=message, retryable=False)
    shown = OWNER_MESSAGES.get(code, OWNER_MESSAGES["RENDER_FAILED"])
    assert RenderError.from_model(failure).message == shown
    render = replace(make_render(), status=RenderStatus.FAILED, failure=failure)
    sent = payloads._error(render.failure)
    assert sent is not None
    assert sent["message"] == shown


@pytest.mark.parametrize("message", sorted({failure.message for failure in FAILURES}))
def test_a_stored_message_of_this_version_is_shown_unchanged(message: str) -> None:
    assert message_for_owner(Failure(code="RENDER_FAILED", message=message, retryable=True)) == message


def client_errors(render: services.models.Render) -> list[Exception]:
    """Return an error of each class, with internals of the server in those whose text is masked."""
    internal = "REMOTION_AWS_SECRET_ACCESS_KEY is wrong in the bucket; see the log"
    quota = Quota(limit=5, remaining=0, window=timedelta(hours=1), resets_at=START_OF_TIME, resets_in_s=1)
    failure = Failure(code="ACCESS_DENIED", message=internal, retryable=False)
    given: dict[type[Exception], Exception] = {
        errors.InvalidAnimation: errors.InvalidAnimation([errors.Problem(field="text", message="Too long.")]),
        errors.InvalidInput: errors.InvalidInput([errors.PathProblem(path="/output", message="Choose another.")]),
        errors.InvalidArgument: errors.InvalidArgument("first", "Too many."),
        errors.ExecutionTimeout: errors.ExecutionTimeout(5),
        errors.RenderQuotaExceeded: errors.RenderQuotaExceeded(quota),
        errors.BackendUnavailable: errors.BackendUnavailable(internal, failure=failure),
        errors.StartImpossible: errors.StartImpossible(failure),
        errors.IllegalChange: errors.IllegalChange("cancel", internal),
        errors.UserError: errors.UserError("Change it."),
        errors.LimitExceeded: errors.LimitExceeded("Request less."),
    }
    of_a_render = (
        errors.IdempotencyKeyReused,
        errors.RenderNotComplete,
        errors.RenderNotFinished,
        errors.RenderAlreadyFinished,
        errors.RenderNotRetryable,
    )
    given |= {kind: kind(render) for kind in of_a_render}
    return [given.get(kind) or made(kind, internal) for kind in subclasses(errors.RendercastError)]


def made(kind: type[Exception], internal: str) -> Exception:
    try:
        return kind()
    except TypeError:
        return kind(internal)


def subclasses(kind: type[Exception]) -> list[type[Exception]]:
    return [kind, *(found for each in kind.__subclasses__() for found in subclasses(each))]


def test_no_error_of_the_api_names_internals_of_the_server(make_render: MakeRender) -> None:
    for error in client_errors(make_render()):
        raised = GraphQLError("", original_error=error)
        message = to_client_error(raised, suggestions=True).message
        assert [word for word in INTERNALS if word.lower() in message.lower()] == [], type(error)
