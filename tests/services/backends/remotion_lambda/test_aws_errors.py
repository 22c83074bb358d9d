import pytest

from services.backends.remotion_lambda.aws_errors import AwsErrorKind, error_from_response


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
