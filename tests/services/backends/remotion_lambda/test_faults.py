import pytest

from services.backends.remotion_lambda.faults import Meaning, fault


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        ("InternalError", Meaning.UNKNOWN),
        ("ServiceUnavailable", Meaning.UNKNOWN),
        ("SlowDown", Meaning.NOT_NOW),
        ("AccessDenied", Meaning.REFUSED),
        ("SomethingNew", Meaning.REFUSED),
    ],
)
def test_one_object_of_many_that_could_not_be_removed(code: str, meaning: Meaning) -> None:
    """The answer as a whole is 200."""
    assert fault("DeleteObjects", code=code, status=200, detail="key").meaning is meaning


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_error_of_any_name_may_pass(status: int) -> None:
    told = fault("PutObject", code="SomethingNew", status=status, detail="")
    assert (told.meaning, told.failure) == (Meaning.UNKNOWN, None)
