from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.ids import is_render_id, new_render_id, time_of

MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(MOMENTS, st.integers(1, 10**9))
def test_ids_sort_by_time(moment: datetime, milliseconds: int) -> None:
    earlier = new_render_id(moment)
    later = new_render_id(moment + timedelta(milliseconds=milliseconds))
    assert is_render_id(earlier)
    assert earlier < later


@given(MOMENTS)
def test_an_id_contains_its_creation_time(moment: datetime) -> None:
    assert abs(time_of(new_render_id(moment)) - moment) <= timedelta(milliseconds=1)


def test_ids_of_the_same_time_differ() -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    assert len({new_render_id(moment) for _ in range(1000)}) == 1000


@given(st.text(alphabet=st.characters(exclude_categories=[])))
def test_other_texts_are_not_ids(text: str) -> None:
    assert not is_render_id(text)


def test_upper_case_and_a_line_feed_are_rejected() -> None:
    render_id = new_render_id(datetime(2026, 1, 1, tzinfo=UTC))
    assert not is_render_id(render_id.upper())
    assert not is_render_id(render_id + "\n")
