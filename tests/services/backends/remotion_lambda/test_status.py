"""Snapshots of renders whose progress the function reports in a status response."""

from dataclasses import replace

import pytest

from services.backends.remotion_lambda.progress import Snapshot, from_status
from services.backends.remotion_lambda.responses import MAX_TIMESTAMP_MS, StatusResponse
from tests.support.progress_files import REGION, STARTED_MS, at, progress


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
    snapshot = from_status(StatusResponse.model_validate(status), region=REGION)
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
            "costs": {"accruedSoFar": 0.00031, "currency": "EUR"},
            "errors": [{"message": "an attempt before", "isFatal": True, "willRetry": False}],
        }
    )
    snapshot = from_status(status, region=REGION)
    assert (snapshot.done, snapshot.fatal, snapshot.fatal_error) == (True, False, None)
    assert (snapshot.output_size_bytes, snapshot.cost_usd) == (215_078, None)


def test_an_estimate_beyond_the_last_date_is_clamped() -> None:
    metadata = {"startedDate": 1, "frameRange": [0, 99]}
    half = {"overallProgress": 0.5, "done": False, "framesRendered": 50, "currentTime": MAX_TIMESTAMP_MS}
    snapshot = from_status(StatusResponse.model_validate(half | {"renderMetadata": metadata}), region=REGION)
    assert snapshot.estimated_completion_at is not None
    assert snapshot.estimated_completion_at.year == 9999


def test_a_status_of_a_render_that_timed_out() -> None:
    timeout = {"message": "The main function timed out after 240000ms.\n", "name": "TimeoutError", "isFatal": True}
    status = {"overallProgress": 0.5, "done": False, "fatalErrorEncountered": True, "errors": [timeout]}
    snapshot = from_status(StatusResponse.model_validate(status), region=REGION)
    assert (snapshot.fatal, snapshot.timed_out, snapshot.fatal_error) == (True, True, None)


def test_a_launch_that_never_ran_times_out() -> None:
    launching = {"overallProgress": 0, "done": False, "timeoutTimestamp": STARTED_MS}

    def snapshot(**changes: object) -> Snapshot:
        return from_status(StatusResponse.model_validate(launching | changes), region=REGION)

    assert not snapshot(currentTime=STARTED_MS + 20_000).fatal
    late = snapshot(currentTime=STARTED_MS + 20_001)
    assert (late.fatal, late.timed_out, late.unlaunched) == (True, True, True)
    assert not snapshot(currentTime=STARTED_MS + 20_001, serveUrlOpened=1).unlaunched
    assert not snapshot(currentTime=STARTED_MS + 20_001, renderMetadata={}).fatal


def test_the_video_may_be_stored_once_all_chunks_are_rendered() -> None:
    status = {"overallProgress": 0.95, "done": False, "chunks": 5, "renderMetadata": {"totalChunks": 5}}
    assert from_status(StatusResponse.model_validate(status), region=REGION).may_have_output
    assert not from_status(StatusResponse.model_validate(status | {"chunks": 4}), region=REGION).may_have_output
