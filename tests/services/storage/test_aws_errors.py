import botocore.session
import pytest

from services.backends.remotion_lambda.starts import start_error
from services.errors import StartRejected, StartUncertain
from services.storage import aws_errors
from services.storage.aws_errors import AwsErrorKind, error_from_response

# Of the errors of the operation Invoke, all those after which the function may have run.
MAY_HAVE_RUN = {"EFSIOException", "ServiceException"}
# Those that concern the request, which Rendercast forms.
OF_THE_REQUEST = {
    "DurableExecutionAlreadyStartedException",
    "InvalidParameterValueException",
    "InvalidRequestContentException",
    "UnsupportedMediaTypeException",
}
MAY_SUCCEED_LATER = {
    "CodeArtifactUserPendingException",
    "EC2ThrottledException",
    "EC2UnexpectedException",
    "EFSMountConnectivityException",
    "EFSMountTimeoutException",
    "ENILimitReachedException",
    "ENINotReadyException",
    "ResourceConflictException",
    "ResourceNotReadyException",
    "S3FilesMountConnectivityException",
    "S3FilesMountTimeoutException",
    "ServiceQuotaExceededException",
    "SnapStartNotReadyException",
    "SnapStartRegenerationFailureException",
    "SnapStartTimeoutException",
    "SubnetIPAddressLimitReachedException",
    "TooManyRequestsException",
}
INVOKE = {
    shape.name: shape.metadata["error"]["httpStatusCode"]
    for shape in botocore.session.get_session().get_service_model("lambda").operation_model("Invoke").error_shapes
}


def test_errors_of_an_invocation_that_are_only_expected_exist() -> None:
    assert INVOKE.keys() >= MAY_HAVE_RUN | OF_THE_REQUEST | MAY_SUCCEED_LATER


@pytest.mark.parametrize("code", sorted(INVOKE))
def test_every_error_of_an_invocation_is_classified_by_whether_the_function_may_have_run(code: str) -> None:
    error = error_from_response("Invoke", code=code, status=INVOKE[code], detail="")
    if code in MAY_HAVE_RUN:
        assert error.kind is AwsErrorKind.UNKNOWN
    elif code in MAY_SUCCEED_LATER:
        assert error.kind is AwsErrorKind.THROTTLED
    else:
        assert error.kind is AwsErrorKind.REJECTED
        assert error.remedy is not None
        assert (error.remedy.code == "REQUEST_REFUSED") is (code in OF_THE_REQUEST)


@pytest.mark.parametrize("code", ["KMSAccessDeniedException", "KMSInvalidStateException", "KMS.AccessDeniedException"])
def test_an_invocation_rejected_because_kms_throttles_may_succeed_later(code: str) -> None:
    detail = "KMS Exception: ThrottlingException KMS Message: Rate exceeded"
    assert error_from_response("Invoke", code=code, status=502, detail=detail).kind is AwsErrorKind.THROTTLED


@pytest.mark.parametrize(
    ("code", "status", "failure_code", "words"),
    [
        ("AccessControlListNotSupported", 400, "ACL_NOT_SUPPORTED", "REMOTION_PRIVACY=no-acl"),
        ("KMS.DisabledException", 400, "ACCESS_DENIED", "KMS key"),
        ("RequestTimeTooSkewed", 403, "CREDENTIALS_INVALID", "REMOTION_AWS_ACCESS_KEY_ID"),
        ("TokenRefreshRequired", 400, "CREDENTIALS_INVALID", "REMOTION_AWS_ACCESS_KEY_ID"),
        ("IllegalLocationConstraintException", 400, "BUCKET_NOT_FOUND", "REMOTION_AWS_REGION"),
        ("PermanentRedirect", 301, "BUCKET_NOT_FOUND", "REMOTION_AWS_REGION"),
        ("AllAccessDisabled", 403, "ACCESS_DENIED", "s3:PutObject"),
    ],
)
def test_an_error_of_storage_that_an_operator_must_fix_names_the_remedy(
    code: str, status: int, failure_code: str, words: str
) -> None:
    failure = error_from_response("PutObject", code=code, status=status, detail="").failure
    assert failure is not None
    assert failure.code == failure_code
    assert words in (failure.detail or "")


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("TemporaryRedirect", 307),
        ("OperationAborted", 409),
        ("RequestTimeout", 400),
        ("InternalError", 500),
        ("NoSuchUpload", 404),
    ],
)
def test_an_error_of_storage_that_may_be_temporary_has_no_remedy(code: str, status: int) -> None:
    error = error_from_response("PutObject", code=code, status=status, detail="")
    assert (error.kind, error.failure) == (AwsErrorKind.UNKNOWN, None)


@pytest.mark.parametrize(
    ("operation", "permission"),
    [
        ("PutObject", "s3:PutObject"),
        ("CreateMultipartUpload", "s3:PutObject"),
        ("UploadPart", "s3:PutObject"),
        ("CompleteMultipartUpload", "s3:PutObject"),
        ("AbortMultipartUpload", "s3:AbortMultipartUpload"),
    ],
)
def test_a_missing_permission_is_named_as_it_is_granted(operation: str, permission: str) -> None:
    remedy = error_from_response(operation, code="AccessDenied", status=403, detail="").remedy
    assert remedy is not None
    assert remedy.action == f"grant {permission} to the AWS user"


def test_no_code_is_in_two_groups() -> None:
    groups = [
        aws_errors._THROTTLING_CODES,
        aws_errors._NOT_FOUND_CODES,
        aws_errors._EXISTS_CODES,
        aws_errors._UNKNOWN_CODES,
        set(aws_errors._REMEDIES),
    ]
    assert len(set().union(*groups)) == sum(map(len, groups))


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("InternalError", AwsErrorKind.UNKNOWN),
        ("ServiceUnavailable", AwsErrorKind.UNKNOWN),
        ("SlowDown", AwsErrorKind.THROTTLED),
        ("AccessDenied", AwsErrorKind.REJECTED),
        ("SomethingNew", AwsErrorKind.REJECTED),
    ],
)
def test_an_error_for_one_of_many_deleted_objects(code: str, kind: AwsErrorKind) -> None:
    """The status of the whole response is 200."""
    assert error_from_response("DeleteObjects", code=code, status=200, detail="key").kind is kind


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_error_with_any_code_may_be_temporary(status: int) -> None:
    error = error_from_response("PutObject", code="SomethingNew", status=status, detail="")
    assert (error.kind, error.failure) == (AwsErrorKind.UNKNOWN, None)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 599])
@pytest.mark.parametrize("code", ["ServiceException", "Unavailable", "502", ""])
def test_a_start_with_any_server_error_may_have_run(status: int, code: str) -> None:
    error = start_error(error_from_response("Invoke", code=code, status=status, detail="An error occurred."))
    assert isinstance(error, StartUncertain)


@pytest.mark.parametrize("code", ["ENILimitReachedException", "EC2UnexpectedException"])
def test_a_start_for_which_lambda_has_no_resources_has_not_run(code: str) -> None:
    assert isinstance(start_error(error_from_response("Invoke", code=code, status=502, detail="")), StartRejected)
