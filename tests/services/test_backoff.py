from hypothesis import given
from hypothesis import strategies as st

from services.backoff import backoff_s


@given(st.integers(0, 10_000))
def test_the_wait_grows_to_its_limit_and_is_never_nothing(failures: int) -> None:
    assert 0.25 <= backoff_s(failures) <= 30.0
    assert backoff_s(failures, first_s=1.0, longest_s=4.0) <= 4.0
