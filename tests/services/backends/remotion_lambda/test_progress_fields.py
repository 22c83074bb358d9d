"""Single values of a progress file or a status response that this version of Remotion doesn't write."""

import copy
import json
from collections.abc import Iterator
from typing import Any, cast

import pytest

from services.backends.remotion_lambda.progress import Snapshot, derive, from_status
from services.backends.remotion_lambda.progress_file import ProgressFile
from services.backends.remotion_lambda.responses import StatusResponse, parse_status
from services.models import RenderPhase
from tests.support.lambda_server import FUNCTION as NAME
from tests.support.progress_files import FUNCTION, GOLDEN, REGION, SECOND, STARTED, STARTED_MS, Json, at, progress, read

WRONG: list[Any] = [None, True, "x", "12", [], [[]], {}, {"a": 1}, -1, 10**400, 1e308, float("inf")]
FATAL = {"message": "no", "isFatal": True}
DONE: Json = GOLDEN[-1]["progress"]
STATUS: Json = {
    "type": "success",
    "overallProgress": 0.6,
    "done": False,
    "fatalErrorEncountered": False,
    "framesRendered": 45,
    "chunks": 2,
    "encodingStatus": {"framesEncoded": 36, "combinedFrames": 0},
    "costs": {"accruedSoFar": 0.001, "currency": "USD"},
    "errors": [FATAL | {"willRetry": True}],
    "outputSizeInBytes": None,
    "estimatedBillingDurationInMilliseconds": 1000,
    "renderMetadata": progress()["renderMetadata"],
    "compositionValidated": STARTED_MS,
    "timeoutTimestamp": STARTED_MS + 240_000,
    "currentTime": STARTED_MS + 5_000,
}


def paths(value: object) -> Iterator[tuple[str | int, ...]]:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield (key,)
        yield from ((key, *path) for path in paths(child))


def with_value(document: Json, path: tuple[str | int, ...], value: object) -> bytes:
    changed: Any = copy.deepcopy(document)
    parent = changed
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = value
    return json.dumps(changed).replace("Infinity", "1e999").encode()


def snapshot_of(body: bytes) -> Snapshot:
    return derive(ProgressFile.from_json(body), function=FUNCTION, region=REGION, now=STARTED + 60 * SECOND)


@pytest.mark.parametrize("value", [22.5, 45.0, 1e-9, 89.999])
def test_frame_counts_may_be_fractions(value: float) -> None:
    snapshot = at(6, framesRendered=value, framesEncoded=value, combinedFrames=value, lambdasInvoked=value)
    assert snapshot.frames_rendered == int(value)
    assert snapshot.overall == pytest.approx(0.1 + min(value / 5, 1e9) * 0.1 + value / 90 * 0.8, rel=1e-6) or (
        snapshot.overall == 1.0
    )


def value_at(document: object, path: tuple[str | int, ...]) -> Any:
    """Return the part of a JSON value; None if it has no such part."""
    for key in path:
        document = document.get(key) if isinstance(document, dict) else cast("list[object]", document)[cast("int", key)]
    return document


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


@pytest.mark.parametrize(
    "document", [DONE, progress(framesRendered=45, chunks=[0, 1], timeToCombine=3)], ids=["done", "running"]
)
def test_every_number_may_be_a_fraction(document: Json) -> None:
    file = ProgressFile.model_validate(document)
    read_paths = paths(file.model_dump(by_alias=True, mode="json"))
    numbers = [path for path in read_paths if is_number(value_at(document, path))]
    assert len(numbers) > 10
    for path in numbers:
        fraction = value_at(document, path) + 0.25
        file = ProgressFile.from_json(with_value(document, path, fraction))
        assert value_at(file.model_dump(by_alias=True, mode="json"), path) == fraction, path


@pytest.mark.parametrize("path", sorted(paths(DONE), key=str), ids=str)
def test_a_wrong_value_in_one_field_does_not_hide_the_others(path: tuple[str | int, ...]) -> None:
    for value in WRONG:
        snapshot = snapshot_of(with_value(DONE, path, value))
        assert snapshot.done is (path != ("postRenderData",) or isinstance(value, dict))
        assert path == ("postRenderData",) or snapshot.phase is RenderPhase.COMBINING


@pytest.mark.parametrize("key", [key for key in progress() if key != "framesRendered"])
def test_a_wrong_value_is_treated_as_absent(key: str) -> None:
    file = progress(framesRendered=45)
    absent = snapshot_of(json.dumps({other: value for other, value in file.items() if other != key}).encode())
    for value in ("x", True, -1, float("inf")):
        assert snapshot_of(with_value(file, (key,), value)) == absent


@pytest.mark.parametrize("every", [0, -1, 0.5, "x", "2", True])
def test_an_invalid_frame_step_is_treated_as_absent(every: object) -> None:
    assert read(progress(everyNthFrame=every)).total_frames == 90


def test_invalid_items_of_a_list_are_skipped() -> None:
    file = read(
        progress(chunks=[0, "x", None, 1.0, -1, True], errors=["x", 7, FATAL, None], timings=[1, {"start": "x"}, {}])
    )
    assert list(file.chunks) == [0, 1]
    assert [error.message for error in file.errors] == ["no"]
    assert len(file.timings) == 2


def test_an_error_with_a_wrong_field_still_ends_the_render() -> None:
    error = at(1, errors=[FATAL | {"stack": {}, "name": 7, "type": None, "message": ["no"]}]).fatal_error
    assert error is not None
    assert (error.stack, error.name, error.type, error.message) == ("", "", "", "")


@pytest.mark.parametrize("lost", [("startedDate",), ("startedDate", "functionLaunched")])
def test_timeouts_don_t_depend_on_one_timestamp(lost: tuple[str, ...]) -> None:
    times = {"functionLaunched": STARTED_MS, "timeoutTimestamp": STARTED_MS + 240_000}
    changes = times | dict.fromkeys(lost, "2026-11-22")
    assert not at(260, **cast("Any", changes)).timed_out
    assert at(260.1, **cast("Any", changes)).timed_out
    unknown = dict.fromkeys(["startedDate", "functionLaunched", "timeoutTimestamp"])
    assert not at(10_000, **cast("Any", unknown)).timed_out


@pytest.mark.parametrize("path", sorted(paths(STATUS), key=str), ids=str)
def test_a_wrong_value_in_one_field_of_a_status_does_not_hide_the_others(path: tuple[str | int, ...]) -> None:
    for value in WRONG:
        status = parse_status(with_value(STATUS, path, value))
        assert isinstance(status, StatusResponse)
        snapshot = from_status(status, region=REGION)
        assert snapshot.frames_rendered == (45 if path != ("framesRendered",) else 0)
        assert not snapshot.done or path == ("done",)


def test_numbers_of_a_status_may_be_fractions() -> None:
    status = StatusResponse.model_validate(STATUS | {"framesRendered": 22.5, "outputSizeInBytes": 8.0, "chunks": 4.5})
    snapshot = from_status(status, region=REGION)
    assert (snapshot.frames_rendered, snapshot.output_size_bytes) == (22, 8)


@pytest.mark.parametrize("body", [b"{}", b'{"type":"success"}', b'{"errorType":"Runtime.ExitError"}', b'{"message":1}'])
def test_an_object_without_progress_is_not_a_status(body: bytes) -> None:
    with pytest.raises(ValueError, match="not a status"):
        parse_status(body)


def test_the_function_s_name_does_not_matter() -> None:
    assert at(1, rendererFunctionName=7) == at(1, rendererFunctionName=NAME.replace("120sec", "240sec"))
