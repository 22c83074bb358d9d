import contextlib
import copy
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.backends.remotion_lambda.function import parse_function_name
from services.backends.remotion_lambda.prices import estimate_cost_usd
from services.backends.remotion_lambda.progress import Snapshot, derive
from services.backends.remotion_lambda.progress_file import ProgressFile
from services.models import RenderPhase
from tests.support.progress_files import FUNCTION, GOLDEN, REGION, SECOND, STARTED, STARTED_MS, Json, at, progress, read


def golden(pair: Json) -> tuple[ProgressFile, Snapshot]:
    function = parse_function_name(pair["functionName"])
    assert function is not None
    file = read(pair["progress"])
    return file, derive(file, function=function, region=REGION, now=datetime.fromtimestamp(pair["nowMs"] / 1000, UTC))


@pytest.mark.parametrize("pair", GOLDEN, ids=lambda pair: pair["name"])
def test_snapshots_equal_those_of_the_official_client(pair: Json) -> None:
    file, snapshot = golden(pair)
    expected = pair["expected"]
    assert snapshot.overall == pytest.approx(expected["overallProgress"], abs=1e-9)
    assert snapshot.done is expected["done"]
    assert snapshot.fatal is expected["fatalErrorEncountered"]
    assert snapshot.frames_rendered == expected["framesRendered"]
    assert snapshot.output_size_bytes == expected["outputSizeInBytes"]
    assert snapshot.billed_ms == expected["estimatedBillingDurationInMilliseconds"]
    assert snapshot.cost_usd == pytest.approx(expected["accruedSoFarUsd"], abs=0.00001)
    assert len(file.chunks) == expected["chunks"]


@pytest.mark.parametrize("pair", GOLDEN, ids=lambda pair: pair["name"])
def test_errors_equal_those_of_the_official_client(pair: Json) -> None:
    file, snapshot = golden(pair)
    errors = pair["expected"]["errors"]
    assert snapshot.timed_out is any(error["name"] == "TimeoutError" for error in errors)
    own = [error for error in errors if error["name"] != "TimeoutError"]
    known = file.errors if file.post_render_data is None else file.post_render_data.errors
    assert [error.message for error in known] == [error["message"] for error in own]
    fatal = next((error["message"] for error in own if error["isFatal"] and not error["willRetry"]), None)
    assert (snapshot.fatal_error.message if snapshot.fatal_error else None) == fatal


def test_phases_follow_the_frame_counts() -> None:
    def phase(rendered: int, encoded: int = 0) -> RenderPhase:
        return at(1, framesRendered=rendered, framesEncoded=encoded).phase

    assert phase(0) is RenderPhase.LAUNCHING
    assert phase(1) is phase(89, 72) is RenderPhase.RENDERING_FRAMES
    assert phase(90) is phase(90, 89) is RenderPhase.ENCODING
    assert phase(90, 90) is RenderPhase.COMBINING


def test_a_render_without_metadata_is_launching() -> None:
    snapshot = at(1, renderMetadata=None)
    assert snapshot.phase is RenderPhase.LAUNCHING
    assert snapshot.overall == pytest.approx(0.1)
    assert (snapshot.billed_ms, snapshot.cost_usd) == (None, 0.0)


def test_a_launch_fails_after_its_timeout() -> None:
    timeout_ms = STARTED_MS + 240_000
    never_launched: Json = dict.fromkeys(["serveUrlOpened", "compositionValidated"])
    assert not at(260, renderMetadata=None, timeoutTimestamp=timeout_ms).fatal
    late = at(260.1, renderMetadata=None, timeoutTimestamp=timeout_ms)
    assert late.fatal
    assert late.timed_out
    assert not late.unlaunched  # it has opened the site
    assert at(260.1, renderMetadata=None, timeoutTimestamp=timeout_ms, **never_launched).unlaunched
    assert not at(260, renderMetadata=None, timeoutTimestamp=timeout_ms, **never_launched).unlaunched
    assert not at(10_000, renderMetadata=None).fatal


def test_chunks_missing_after_the_timeout_fail_the_render() -> None:
    assert not at(260, chunks=[0, 1, 2, 3]).fatal
    assert at(260.1, chunks=[0, 1, 2, 3]).timed_out
    assert at(260.1, chunks=[0, 1, 2, 3, 3, 7]).timed_out
    assert not at(500, chunks=[0, 1, 2, 3, 4]).timed_out
    assert at(500.1, chunks=[0, 1, 2, 3, 4]).timed_out


def test_when_the_video_may_be_stored() -> None:
    combined: Json = {"chunks": [4, 3, 2, 1, 0], "framesRendered": 90, "combinedFrames": 90, "timeToCombine": 50}
    assert at(10, **combined).may_have_output
    assert not at(10, **combined | {"timeToCombine": None}).may_have_output
    assert not at(10, **combined | {"combinedFrames": 89}).may_have_output
    assert not at(10, **combined | {"chunks": [0, 1, 2, 3]}).may_have_output


def test_the_video_may_be_stored_if_a_file_with_all_chunks_has_not_changed_for_five_seconds() -> None:
    stalled: Json = {"chunks": [0, 1, 2, 3, 4], "framesRendered": 90, "framesEncoded": 90, "combinedFrames": 45}
    written_at = STARTED + 10 * SECOND
    assert not at(14.9, written_at=written_at, **stalled).may_have_output
    assert at(15, written_at=written_at, **stalled).may_have_output
    assert not at(15, written_at=written_at, **stalled | {"chunks": [0, 1, 2, 3]}).may_have_output


def test_the_first_error_that_ends_the_render() -> None:
    errors = [
        {"message": "a", "isFatal": True, "willRetry": True},
        {"message": "b", "isFatal": False, "willRetry": False},
        {"message": "c", "isFatal": True, "willRetry": False, "type": "renderer", "name": "Error", "stack": "Error: c"},
        {"message": "d", "isFatal": True, "willRetry": False},
    ]
    error = at(1, errors=errors).fatal_error
    assert error is not None
    assert (error.message, error.type, error.name, error.stack) == ("c", "renderer", "Error", "Error: c")
    assert not at(1, errors=errors[:2]).fatal


def test_what_a_file_may_leave_out() -> None:
    assert at(1, errors=[{"isFatal": True}], timings=[{}]).fatal
    finished = at(1, postRenderData={"cost": {}})
    assert (finished.done, finished.cost_usd, finished.output_size_bytes, finished.billed_ms) == (
        True,
        None,
        None,
        None,
    )
    assert (at(1, postRenderData={}, renderMetadata=None, framesRendered=7).frames_rendered) == 7


def test_frame_ranges() -> None:
    assert read(progress(everyNthFrame=2)).total_frames == 45
    assert read(progress(frameRange=[10, 19], everyNthFrame=3)).total_frames == 4
    assert read(progress(frameRange=[5, 5])).total_frames == 1
    assert read(progress(frameRange=[5, 4])).total_frames == 0
    assert at(1, frameRange=[5, 0], framesRendered=3).overall == pytest.approx(0.2)
    assert at(1, frameRange=None, framesRendered=3).phase is RenderPhase.RENDERING_FRAMES


def test_overall_stays_below_one_hundred_percent() -> None:
    assert at(1, framesRendered=900, framesEncoded=900, lambdasInvoked=50).overall == 1.0
    assert not at(1, framesRendered=900).done


def test_cost_depends_on_the_renderers_memory() -> None:
    small = at(10, rendererFunctionName="remotion-render-4-0-527-mem1024mb-disk2048mb-240sec").cost_usd
    unnamed = at(10, rendererFunctionName="renderer").cost_usd
    assert small is not None
    assert unnamed is not None
    assert small < unnamed == at(10).cost_usd


def test_prices_by_region() -> None:
    def cost(region: str) -> float | None:
        return estimate_cost_usd(region=region, memory_mb=2048, billed_ms=100_000, invocations=5)

    assert cost("us-east-1") == 0.0027
    assert cost("eu-central-2") == 0.00298
    assert at(1, region="eu-central-1").cost_usd
    assert at(1, region="eu-central-1", postRenderData={"cost": {"estimatedCost": 0.5}}).cost_usd == 0.5


@pytest.mark.parametrize("region", ["cn-north-1", "us-gov-west-1", "me-central-1", "us-east-9"])
def test_the_cost_in_a_region_without_known_prices_is_unknown(region: str) -> None:
    """The function itself would use the prices of us-east-1."""
    assert estimate_cost_usd(region=region, memory_mb=2048, billed_ms=100_000, invocations=5) is None
    assert at(1, region=region).cost_usd is None
    assert at(1, region=region, postRenderData={"cost": {"estimatedCost": 0.5}}).cost_usd is None


def test_completion_is_estimated_after_a_tenth_of_the_work() -> None:
    assert at(2, framesRendered=11).estimated_completion_at is None
    assert at(2, framesRendered=13).estimated_completion_at is not None


def test_completion_is_extrapolated_at_the_present_pace() -> None:
    started_at = STARTED.replace(microsecond=0)
    half = at(6, framesRendered=60)
    assert half.estimated_completion_at == started_at + 12 * SECOND
    assert at(10, framesRendered=90, framesEncoded=45).estimated_completion_at == started_at + 13 * SECOND
    assert (
        at(10, framesRendered=90, framesEncoded=90, combinedFrames=90).estimated_completion_at
        == started_at + 10 * SECOND
    )


def test_an_ended_render_is_not_estimated() -> None:
    fatal = {"message": "no", "isFatal": True}
    assert at(6, framesRendered=60, errors=[fatal]).estimated_completion_at is None
    assert at(261, framesRendered=60).estimated_completion_at is None


def test_an_unchanged_file_gives_the_same_snapshot_later() -> None:
    written_at = STARTED + 6 * SECOND
    first = at(6, framesRendered=60, written_at=written_at)
    assert at(200, framesRendered=60, written_at=written_at) == first
    assert at(261, framesRendered=60, written_at=written_at).timed_out
    assert at(200, framesRendered=60) != first


def test_a_clock_that_is_behind_gives_no_negative_values() -> None:
    snapshot = at(-5, framesRendered=60)
    assert (snapshot.billed_ms, snapshot.estimated_completion_at) == (0, None)


def test_a_lone_surrogate_in_an_error_is_replaced() -> None:
    body = b'{"errors":[{"message":"Unknown text \\ud83d","isFatal":true}]}'
    snapshot = derive(ProgressFile.from_json(body), function=FUNCTION, region=REGION, now=STARTED)
    assert snapshot.fatal_error is not None
    assert snapshot.fatal_error.message == "Unknown text \ufffd"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"7"])
def test_a_corrupt_file_raises_value_error(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # of several kinds
        ProgressFile.from_json(body)


JUNK: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, -1, 0, 0.5, 10**9, 2**53, 2**63, 10**400, -(10**18), 1e308, "", "x", "12", "\ud83d", [], [[0, 1]], {}]
)


def paths(value: object) -> Iterator[tuple[str | int, ...]]:
    """Return the paths to all parts of a JSON value except itself."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield (key,)
        yield from ((key, *path) for path in paths(child))


def mutate(data: st.DataObject, file: Json) -> None:
    *way, last = data.draw(st.sampled_from(sorted(paths(file), key=str)))
    parent: Any = file
    for key in way:
        parent = parent[key]
    if data.draw(st.booleans()):
        del parent[last]
    else:
        parent[last] = copy.deepcopy(data.draw(JUNK))


@pytest.mark.slow  # runs for long
@settings(max_examples=400)
@given(st.data())
def test_any_file_is_parsed_or_corrupt(data: st.DataObject) -> None:
    file = copy.deepcopy(data.draw(st.sampled_from([pair["progress"] for pair in GOLDEN[::7] + GOLDEN[-3:]])))
    for _ in range(data.draw(st.integers(1, 4))):
        mutate(data, file)
    now = datetime.fromtimestamp(data.draw(st.sampled_from([0, 1_795_331_860, 1_795_399_999, 4_000_000_000])), UTC)
    with contextlib.suppress(ValueError):
        snapshot = derive(read(file), function=FUNCTION, region=REGION, now=now)
        assert 0 <= snapshot.overall <= 1
        assert snapshot.frames_rendered >= 0
        assert snapshot.billed_ms is None or snapshot.billed_ms >= 0
        assert snapshot.cost_usd is None or snapshot.cost_usd >= 0
