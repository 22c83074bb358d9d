"""Snapshots of renders whose progress the function reports in a status response."""

from dataclasses import replace

import pytest

from services.backends.remotion_lambda.progress import from_status
from services.backends.remotion_lambda.responses import MAX_TIMESTAMP_MS, StatusResponse
from tests.support.progress_files import STARTED_MS, at, progress


def test_a_status_gives_the_same_snapshot_as_the_file() -> None:
    file = progress(framesRendered=60, framesEncoded=18, chunks=[0])
    status = {
        "type": "success",
        "overallProgress": 0.62,
        "done": False,
        "fatalErrorEncountered": False,
        "framesRendered": 60,
        "encodingStatus": {"framesEncoded": 18, "combinedFrames": 0, "timeToCombine": None},
        "costs": {"accruedSoFar": 0.00081, "currency": "USD"},
        "estimatedBillingDurationInMilliseconds": 30_000,
        "errors": [],
        "outputSizeInBytes": None,
        "timeToFinish": None,
        "renderMetadata": file["renderMetadata"],
        "compositionValidated": STARTED_MS,
        "currentTime": STARTED_MS + 6_000,
    }
    snapshot = from_status(StatusResponse.model_validate(status))
    derived = at(6, framesRendered=60, framesEncoded=18, chunks=[0])
    assert snapshot.overall == pytest.approx(derived.overall)
    assert snapshot.cost_usd == pytest.approx(derived.cost_usd, abs=0.00001)
    assert replace(snapshot, overall=0, cost_usd=0) == replace(derived, overall=0, cost_usd=0)


def test_a_status_of_a_finished_render() -> None:
    status = StatusResponse.model_validate(
        {
            "overallProgress": 1,
            "done": True,
            "fatalErrorEncountered": False,
            "framesRendered": 90,
            "outputSizeInBytes": 215_078,
            "costs": {"accruedSoFar": 0.00031, "currency": "CNY"},
            "errors": [{"message": "an attempt before", "isFatal": True, "willRetry": False}],
        }
    )
    snapshot = from_status(status)
    assert (snapshot.done, snapshot.fatal, snapshot.fatal_error) == (True, False, None)
    assert (snapshot.output_size_bytes, snapshot.cost_usd) == (215_078, None)


def test_an_estimate_beyond_the_last_date_is_clamped() -> None:
    metadata = {"startedDate": 1, "frameRange": [0, 99]}
    half = {"overallProgress": 0.5, "done": False, "framesRendered": 50, "currentTime": MAX_TIMESTAMP_MS}
    snapshot = from_status(StatusResponse.model_validate(half | {"renderMetadata": metadata}))
    assert snapshot.estimated_completion_at is not None
    assert snapshot.estimated_completion_at.year == 9999


def test_a_status_of_a_render_that_timed_out() -> None:
    timeout = {"message": "The main function timed out after 240000ms.\n", "name": "TimeoutError", "isFatal": True}
    status = {"overallProgress": 0.5, "done": False, "fatalErrorEncountered": True, "errors": [timeout]}
    snapshot = from_status(StatusResponse.model_validate(status))
    assert (snapshot.fatal, snapshot.timed_out, snapshot.fatal_error) == (True, True, None)
