"""Reading the objects of responses."""

from datetime import UTC, datetime

import pytest
from rendercast.client import BatchProgress, CompositionInfo, Render, RenderQuota, UnexpectedResponse
from rendercast.client.reading import read, selection

from tests.support.client_renders import render_of

QUOTA = {"limit": 5, "remaining": 4, "windowSeconds": 60, "resetsAt": "2026-01-01T12:00:00.000Z", "resetsInSeconds": 9}


@pytest.mark.parametrize("response", [{}, {"id": 1}, {"limit": "many"}, [], None, "a"])
@pytest.mark.parametrize("kind", [Render, CompositionInfo, RenderQuota, BatchProgress])
def test_a_response_of_another_format_is_reported(kind: type[object], response: object) -> None:
    with pytest.raises(UnexpectedResponse, match="unexpected format") as error:
        read(kind, response)
    assert error.value.code == "NOT_UNDERSTOOD"


@pytest.mark.parametrize("change", [{"limit": "5"}, {"limit": None}, {"resetsAt": "soon"}, {"resetsAt": 1}])
def test_a_value_of_another_type_is_reported(change: dict[str, object]) -> None:
    with pytest.raises(UnexpectedResponse):
        read(RenderQuota, QUOTA | change)


def test_times_are_in_utc_and_the_whole_object_is_kept() -> None:
    quota = read(RenderQuota, QUOTA | {"new": 1})
    assert (quota.resets_at, quota.raw["new"]) == (datetime(2026, 1, 1, 12, tzinfo=UTC), 1)


def test_values_of_an_enum_that_are_newer_than_this_package_are_kept() -> None:
    assert render_of("HOLOGRAM").output.kind == "HOLOGRAM"  # type: ignore[comparison-overlap]


def test_a_selection_has_the_fields_of_nested_types() -> None:
    assert selection(RenderQuota, without=("limit",)) == "remaining windowSeconds resetsAt resetsInSeconds"
    assert " error { code message retryable } " in selection(Render)
